public import PipelineCore

/// A code by its name, in tests: what is expected stands there as people see it.
extension ErrorCode: ExpressibleByStringLiteral {
    public init(stringLiteral name: String) { self.init(foreign: name) }
}
