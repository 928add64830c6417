// What is wrong with the texts of the page that is open, a line for each.
() => {
  const faults = [];
  const slack = 0.6;

  const visible = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode;
    const element = node.parentElement;
    if (!node.data.trim() || element.closest('title, style')) continue;
    // Ranges may have rectangles although their element is not displayed.
    if (element.getBoundingClientRect().width === 0) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    for (const rect of range.getClientRects()) {
      if (rect.width > 0 && rect.height > 0) visible.push({ element, rect, text: node.data.trim() });
    }
  }

  const inside = (inner, outer) =>
    inner.left >= outer.left - slack && inner.right <= outer.right + slack &&
    inner.top >= outer.top - slack && inner.bottom <= outer.bottom + slack;
  const overlap = (a, b) =>
    Math.min(a.right, b.right) - Math.max(a.left, b.left) > slack &&
    Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > slack;

  // Cut off, or out of its picture.
  for (const { element, rect, text } of visible) {
    const picture = element.closest('svg.picture');
    if (picture && !inside(rect, picture.getBoundingClientRect())) {
      faults.push(`outside its picture: ${text}`);
    }
    if (rect.left < -slack || rect.right > innerWidth + slack) faults.push(`beyond the page: ${text}`);
    for (let box = element; box && !(box instanceof SVGElement); box = box.parentElement) {
      const clips = getComputedStyle(box).overflowX !== 'visible';
      const bounds = box.getBoundingClientRect();
      if (clips && (rect.right > bounds.right + slack || rect.left < bounds.left - slack)) {
        faults.push(`cut off: ${text}`);
      }
    }
  }

  // Over each other. Lines of one paragraph touch, so their boxes count at the height of their letters.
  const letters = ({ element, rect }) => {
    const size = parseFloat(getComputedStyle(element).fontSize);
    const margin = Math.max(0, (rect.height - size) / 2);
    return { left: rect.left, right: rect.right, top: rect.top + margin, bottom: rect.bottom - margin };
  };
  const boxes = visible.map(letters);
  for (let i = 0; i < boxes.length; i++) {
    for (let j = i + 1; j < boxes.length; j++) {
      if (overlap(boxes[i], boxes[j])) faults.push(`overlap: ${visible[i].text} | ${visible[j].text}`);
    }
  }

  // Contrast, see https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio.
  const parse = colour => colour.match(/[\d.]+/g).map(Number);
  const luminance = colour => {
    const [r, g, b] = parse(colour).slice(0, 3).map(part => {
      const value = part / 255;
      return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const grounds = element => {
    let box = element;
    while (box && (parse(getComputedStyle(box).backgroundColor)[3] ?? 1) === 0) box = box.parentElement;
    const found = [getComputedStyle(box ?? document.body).backgroundColor];
    const shade = element.closest('svg.picture')?.querySelector('.after');
    if (shade) found.push(getComputedStyle(shade).fill);
    return found;
  };
  for (const { element, text } of visible) {
    const style = getComputedStyle(element);
    const colour = luminance(element instanceof SVGElement ? style.fill : style.color);
    for (const ground of grounds(element).map(luminance)) {
      const contrast = (Math.max(colour, ground) + 0.05) / (Math.min(colour, ground) + 0.05);
      if (contrast < 4.5) faults.push(`contrast ${contrast.toFixed(2)}: ${text}`);
    }
  }
  return faults;
}
