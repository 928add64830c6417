extension Diagnostic {
    /// What kind of thing is wrong, in kebab-case; stable, so that scripts may rely on it.
    ///
    /// A code is declared together with its documentation, so that nothing can be reported that
    /// `explain-error` does not explain. Other modules declare theirs in extensions.
    public struct Code: Sendable {
        /// The code as printed, for example `unknown-key`.
        public let rawValue: String
        /// What is wrong, in one short sentence.
        public let summary: String
        /// What it means, why it is refused and what to do, in a paragraph.
        public let explanation: String
        /// What is reported with this code.
        public let example: Example

        /// A code with its documentation.
        public init(
            _ rawValue: String, _ summary: String, _ explanation: String, example: Example
        ) {
            self.rawValue = rawValue
            self.summary = summary
            self.explanation = explanation
            self.example = example
        }
    }

    /// Something that is reported with a code, so short that it shows nothing else.
    public enum Example: Sendable {
        /// Files that are read together, each in order but for one part.
        case files([Part])
        /// What stands behind the program's name on a command line.
        case commandLine([String])

        /// A file that is in order but for what stands at a path: `stages[2].trigger`.
        public static func file(at path: String, _ text: String) -> Example {
            .files([Part(at: path, text)])
        }

        /// A file.
        public static func file(_ bytes: [UInt8]) -> Example {
            .files([Part(path: "", bytes: bytes)])
        }
    }

    /// What stands at a path of a file; at the empty path it is all of it.
    public struct Part: Sendable {
        /// The path below the root, such as `stages[2].trigger`.
        public let path: String
        /// The text, which need not be UTF-8.
        public let bytes: [UInt8]

        /// A part of a file.
        public init(path: String, bytes: [UInt8]) {
            self.path = path
            self.bytes = bytes
        }

        /// A part of a file.
        public init(at path: String, _ text: String) {
            self.init(path: path, bytes: Array(text.utf8))
        }
    }
}

extension Diagnostic.Code: Hashable {
    /// Whether two codes have the same name.
    public static func == (left: Self, right: Self) -> Bool { left.rawValue == right.rawValue }
    /// Feeds the name.
    public func hash(into hasher: inout Hasher) { hasher.combine(rawValue) }
}
