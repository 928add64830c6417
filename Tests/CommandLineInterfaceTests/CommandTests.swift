import CommandLineInterface
import ConfigurationDiagnostics
import ConfigurationFields
import Synchronization
import Testing

/// A small program's command line.
enum Program {
    enum Start: String, Choice { case earliest, latest }

    struct Run: Settings {
        static let summary = "Runs a pipeline until it is told to stop."
        let grace: Duration
        let port: Int
        let checkOnly: Bool
        let labels: [String]
        let start: Start
        let output: String
        let files: [String]

        init(_ field: Fields) {
            grace = field("grace", "How long work under way may take.", default: .seconds(10))
            port = field("metrics_port", "Where metrics are served.", default: 9464, in: 1...65_535)
            checkOnly = field("check_only", "Reads the file, reports, and stops.", default: false)
            labels = field("label", "A label to put on everything.", default: [])
            start = field("start", "Where a new group begins.", default: .earliest)
            output = field("output", "Where to write.", default: "-", completion: .files)
            files = field.arguments(
                "FILE", "A pipeline's file.", example: ["orders.json"], completion: .files)
        }
    }

    struct Show: Settings {
        static let summary = "Shows a stage's reference."
        let name: String?
        let token: String
        init(_ field: Fields) {
            name = field.optionalArgument("NAME", "A stage's name.", example: "dedupe")
            token = field("token", "What opens the door.", example: "x", secret: true)
        }
    }

    static let root = Command(
        "penstock", "Does together what is cheap to do together.", version: "1.2.3",
        commands: [
            Command(
                "run", Run.self, details: "Stops on SIGTERM.",
                examples: [.init("--check-only orders.json", "Looks at a file.")]
            ) { options, console in
                console.out(
                    "\(options.files) \(options.port) \(options.grace.text) \(options.labels)")
                return options.checkOnly ? .failure : .success
            },
            Command(
                "stages", "Stages.", commands: [Command("show", Show.self) { _, _ in .success }]),
            .completion,
        ])
}

/// What a command printed.
final class Printed: Sendable {
    private let texts = Mutex((out: "", err: ""))
    var out: String { texts.withLock { $0.out } }
    var err: String { texts.withLock { $0.err } }
    var console: Console {
        Console(
            out: { text in self.texts.withLock { $0.out += text } },
            err: { text in self.texts.withLock { $0.err += text } })
    }
}

@Suite("A command line")
struct CommandTests {
    private func run(_ arguments: String...) async -> (code: ExitCode, out: String, err: String) {
        let printed = Printed()
        let code = await Program.root.run(arguments, console: printed.console)
        return (code, printed.out, printed.err)
    }

    @Test("reads options in either spelling, flags, repeated options and arguments")
    func options() async {
        let result = await run(
            "run", "a.json", "--metrics-port=80", "--grace", "2min", "--label", "x,y", "--label=z",
            "--", "--b,c.json")
        #expect(result.code == .success)
        #expect(result.out == #"["a.json", "--b,c.json"] 80 2m ["x", "y", "z"]"#)
        #expect(await run("run", "--check-only", "a.json").code == .failure)
        #expect(await run("run", "--check-only=false", "a.json").code == .success)
    }

    @Test("reports everything that is wrong at once")
    func problems() async {
        let result = await run(
            "run", "--metrics-prt=1", "--grace", "soon", "--metrics-port", "0", "--start=lastest",
            "-x",
            "--output")
        #expect(result.code == .usage)
        #expect(result.out.isEmpty)
        #expect(
            result.err == """
                penstock run: error[unknown-option]: unknown option --metrics-prt; did you mean --metrics-port? (valid: --check-only, --grace, --help, --label, --metrics-port, --output, --start)
                penstock run: error[unknown-option]: unknown option -x; valid: --check-only, --grace, --help, --label, --metrics-port, --output, --start
                penstock run: error[missing-value]: the option --output stands without its value; expected text, for example --output -
                penstock run: error[wrong-type]: --grace: "soon" is not a duration; write a number and its unit: 500ms, 10s, 5m, 12h, 7d
                penstock run: error[out-of-range]: --metrics-port: "0" lies outside 1 to 65535
                penstock run: error[invalid-value]: --start: "lastest" is not one of earliest, latest; did you mean "latest"?
                penstock run: error[missing-argument]: the argument FILE is missing; expected list of text, for example orders.json
                Try 'penstock run --help'.

                """)
    }

    @Test("refuses an argument too many and an option that must be given")
    func missing() async {
        let result = await run("stages", "show", "a", "b")
        #expect(result.code == .usage)
        #expect(
            result.err == """
                penstock stages show: error[missing-option]: the option --token is missing; expected text, for example x
                penstock stages show: error[extra-argument]: "b" is one argument too many
                Try 'penstock stages show --help'.

                """)
    }

    @Test("names the nearest command")
    func commands() async {
        let result = await run("rum")
        #expect(result.code == .usage)
        #expect(
            result.err
                == "penstock: error[unknown-command]: unknown command rum; did you mean run? (valid: completion, run, stages)\nTry 'penstock --help'.\n"
        )
        #expect(await run().code == .usage)
        #expect(await run("--versoin").err.contains("did you mean --version?"))
    }

    @Test("shows its version")
    func version() async {
        #expect(await run("--version").out == "penstock 1.2.3\n")
    }

    @Test("teaches a command")
    func help() async {
        let expected = """
            Runs a pipeline until it is told to stop.

            Stops on SIGTERM.

            Usage: penstock run [OPTIONS] FILE…

            Arguments:
              FILE…  A pipeline's file. Example: orders.json.

            Options:
              --grace DURATION         How long work under way may take. Default: 10s.
              --metrics-port NUMBER    Where metrics are served. From 1 to 65535. Default: 9464.
              --check-only             Reads the file, reports, and stops.
              --label TEXT             A label to put on everything. May be repeated.
              --start earliest|latest  Where a new group begins. Default: earliest.
              --output FILE            Where to write. Default: -.
              --help                   Shows this help.

            Examples:
              # Looks at a file.
              penstock run --check-only orders.json

            """
        for arguments in [["run", "--help"], ["run", "a", "-h"], ["help", "run"]] {
            let printed = Printed()
            #expect(await Program.root.run(arguments, console: printed.console) == .success)
            #expect(printed.out == expected)
        }
        #expect(await run("stages", "help", "show").out.hasPrefix("Shows a stage's reference."))
        #expect(await run("run", "a", "--", "--help").code == .success)
    }

    @Test("teaches a group of commands")
    func groupHelp() async {
        #expect(
            await run("help").out == """
                Does together what is cheap to do together.

                Usage: penstock COMMAND [OPTIONS]

                Commands:
                  run         Runs a pipeline until it is told to stop.
                  stages      Stages.
                  completion  Prints completions for a shell, to be sourced by it.

                Options:
                  --help     Shows this help.
                  --version  Shows the version.

                More about one: penstock help COMMAND

                """)
    }

    @Test("ends with the code of what it throws")
    func failures() async {
        struct None: Settings {
            static let summary = "Nothing."
            init(_ field: Fields) {}
        }
        struct Odd: Error {}
        func code(_ error: any Error) async -> ExitCode {
            await Command("x", None.self) { _, _ in throw error }
                .run([], console: Printed().console)
        }
        #expect(await code(CommandFailure(.unavailable, "gone")) == .unavailable)
        #expect(await code(Diagnostics([])) == .configuration)
        #expect(await code(Odd()) == .failure)
    }

    @Test("never shows a secret")
    func secrets() throws {
        struct Door: Settings {
            static let summary = "A door."
            let key: Int
            init(_ field: Fields) { key = field("key", "Opens it.", default: 4711, secret: true) }
        }
        #expect(!Command("door", Door.self) { _, _ in .success }.help(as: "door").contains("4711"))
        do throws(Diagnostics) { _ = try Door.parse(["--key", "geheim"]) } catch {
            #expect(!error.description.contains("geheim"))
        }
    }
}
