/// The page's style sheet. Pairs of text and ground have a contrast of 4.5 or more in both schemes.
enum PageStyle {
    static let sheet = """
        :root {
          color-scheme: light dark;
          --paper: #ffffff; --raised: #f6f7f8; --ink: #1c2024; --muted: #565d66; --line: #dde1e5;
          --a: #1f62ae; --b: #a8500a; --c: #6b3fa0; --d: #0b6b6b; --e: #8a1f5c; --f: #5b5a00;
          --good: #17683a; --bad: #b3261e; --neutral: #8a939d;
          --good-ground: #eaf5ee; --bad-ground: #fcedec;
        }
        @media (prefers-color-scheme: dark) {
          :root {
            --paper: #14171a; --raised: #1d2125; --ink: #e4e7ea; --muted: #a0a8b1; --line: #343a41;
            --a: #6fb1f4; --b: #eda05c; --c: #c19af0; --d: #5cc8c8; --e: #f08cc0; --f: #c5c45a;
            --good: #62c68d; --bad: #ff8f85; --neutral: #78828c;
            --good-ground: #16261d; --bad-ground: #2d1a19;
          }
        }
        * { box-sizing: border-box; }
        body {
          margin: 0 auto; padding: 2rem clamp(1rem, 4vw, 3rem) 4rem; max-width: 72rem;
          background: var(--paper); color: var(--ink);
          font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif;
          overflow-wrap: anywhere; -webkit-text-size-adjust: 100%;
        }
        h1 { font-size: 1.75rem; line-height: 1.2; margin: 0 0 .25rem; font-weight: 650; }
        h2 { font-size: 1.0625rem; margin: 2.75rem 0 .75rem; font-weight: 650; }
        p { margin: 0 0 .5rem; }
        code { font: .9em ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
        .muted, figcaption, footer { color: var(--muted); font-size: .875rem; }
        .verdict {
          margin: 1.5rem 0; padding: .9rem 1.1rem; border-left: 4px solid var(--good);
          background: var(--good-ground); font-size: 1.0625rem;
        }
        .verdict p { margin: 0; }
        .verdict p + p { margin-top: .4rem; font-size: .9375rem; }
        .verdict.bad {
          border-color: var(--bad); background: var(--bad-ground); color: var(--ink);
        }
        .ok { color: var(--good); } .bad { color: var(--bad); } .skip { color: var(--muted); }
        b.ok, b.bad, b.skip { font-weight: 650; }
        dl.figures {
          display: flex; flex-wrap: wrap; gap: 1px; margin: 1.5rem 0 0;
          background: var(--line); border: 1px solid var(--line);
        }
        dl.figures div { background: var(--paper); padding: .7rem .9rem; flex: 1 1 40%; }
        dl.figures dt { color: var(--muted); font-size: .8125rem; }
        dl.figures dd {
          margin: 0; font-size: 1.25rem; font-weight: 600; font-variant-numeric: tabular-nums;
        }
        dl.figures dd small {
          display: block; font-size: .8125rem; font-weight: 400; color: var(--muted);
        }
        figure { margin: 0; }
        figcaption { margin-top: .5rem; }
        .legend { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; font-size: .875rem; }
        .legend i {
          display: inline-block; width: .8em; height: .8em; margin-right: .45em; border-radius: 2px;
        }
        .a { --shade: var(--a); } .b { --shade: var(--b); } .c { --shade: var(--c); }
        .d { --shade: var(--d); } .e { --shade: var(--e); } .f { --shade: var(--f); }
        .legend i { background: var(--shade); }
        svg.picture { display: block; overflow: visible; font-size: 12px; }
        svg text { fill: var(--muted); }
        svg text.bad { fill: var(--bad); }
        svg .end { text-anchor: end; } svg .middle { text-anchor: middle; }
        .grid line { stroke: var(--line); stroke-width: 1; }
        .base { stroke: var(--line); }
        .arrivals { fill: var(--neutral); }
        .after { fill: var(--raised); }
        .area, .bars, .mark { fill: var(--shade); }
        .area { fill-opacity: .18; } .bars { fill-opacity: .65; }
        .line { fill: none; stroke-width: 1.6; vector-effect: non-scaling-stroke; }
        .line { stroke: var(--shade); }
        .bars .late { fill: var(--bad); }
        .sla { stroke: var(--bad); stroke-width: 1.5; stroke-dasharray: 4 3; }
        .places rect { fill: transparent; }
        .places rect:hover { fill: var(--ink); fill-opacity: .08; }
        .scroll { overflow-x: auto; }
        table { border-collapse: collapse; width: 100%; font-size: .875rem; }
        th, td { padding: .35rem .75rem .35rem 0; text-align: left; vertical-align: top; }
        th:last-child, td:last-child { padding-right: 0; }
        th, td small { overflow-wrap: normal; }
        th.name { overflow-wrap: anywhere; }
        thead th { color: var(--muted); font-weight: 500; border-bottom: 1px solid var(--line); }
        tbody th { font-weight: 400; }
        tbody tr + tr > * { border-top: 1px solid var(--line); }
        td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; }
        td.n, td.time { white-space: nowrap; }
        .n + :not(.n) { padding-left: .75rem; }
        td small { display: block; color: var(--muted); font-size: .8125rem; }
        td small.ok { color: var(--good); } td small.bad { color: var(--bad); }
        tr.gap td { color: var(--muted); text-align: center; }
        .inner th { padding-left: 1rem; }
        ul { margin: 0; padding: 0; list-style: none; }
        ul.plain li { padding: .2rem 0 .2rem 1rem; text-indent: -1rem; }
        ul.plain li::before { content: "–"; display: inline-block; width: 1rem; text-indent: 0; }
        ul.checks li {
          display: grid; grid-template-columns: 3rem 7rem 1fr; gap: 0 .75rem; padding: .4rem 0;
          font-size: .9375rem;
        }
        ul.checks li + li { border-top: 1px solid var(--line); }
        ul.checks small { display: block; color: var(--muted); font-size: .8125rem; }
        summary { cursor: pointer; font-size: .9375rem; padding: .25rem 0; }
        :focus-visible { outline: 2px solid var(--a); outline-offset: 2px; }
        footer { margin-top: 3rem; padding-top: .75rem; border-top: 1px solid var(--line); }
        .wide { display: none; }
        @media (min-width: 45rem) {
          .narrow { display: none; }
          g.wide { display: inline; }
          dl.figures div { flex-basis: 30%; }
          td.wide, th.wide { display: table-cell; }
        }
        @media (min-width: 64rem) { dl.figures div { flex-basis: 12%; } }
        @media (max-width: 44.99rem) {
          body { padding-top: 1.25rem; }
          h1 { font-size: 1.4rem; }
          th, td { padding-right: .5rem; }
          table { font-size: .8125rem; }
          .n + :not(.n) { padding-left: .25rem; }
          .n.wide + :not(.n) { padding-left: 0; }
          ul.checks li { grid-template-columns: 3rem 1fr; }
          ul.checks .what { grid-column: 2; }
          .many thead { display: none; }
          .many table, .many tbody, .many tr, .many th, .many td { display: block; }
          .many tbody tr > * { border: 0; padding: .1rem 0; }
          .many td { white-space: normal; overflow: visible; }
          .many td::before {
            content: attr(data-name); display: block; text-align: left; color: var(--muted);
            overflow-wrap: anywhere;
          }
        }
        @media print { body { padding: 0; } .places { display: none; } }
        """
}
