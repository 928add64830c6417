/// What a scenario found out to be wrong.
struct Broken: Error, CustomStringConvertible {
    let description: String
}

func expect(_ holds: Bool, _ otherwise: @autoclosure () -> String) throws {
    if !holds { throw Broken(description: otherwise()) }
}
