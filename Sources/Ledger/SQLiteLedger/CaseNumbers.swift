/// Case numbers as a JSON array: the form in which SQLite can join them (`json_each`).
enum CaseNumbers {
    static func encode(_ numbers: some Collection<Int64>) -> String {
        var text = "["
        text.reserveCapacity(numbers.count * 10 + 2)
        for number in numbers {
            if text.utf8.count > 1 { text += "," }
            text += String(number)
        }
        return text + "]"
    }

    /// Reads what ``encode(_:)`` has written.
    static func decode(_ text: String) -> [Int64] {
        var numbers: [Int64] = []
        var number: Int64?
        for byte in text.utf8 {
            if byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9") {
                number = (number ?? 0) * 10 + Int64(byte - UInt8(ascii: "0"))
            } else if let complete = number {
                numbers.append(complete)
                number = nil
            }
        }
        return numbers
    }
}
