internal import CommandLineInterface
internal import ConfigurationFields
internal import DryRunReport
internal import LocatedJSON
internal import PipelineCore
internal import Synchronization

private struct TopOptions: Settings {
    static let summary = "Shows the open batch and the latest batches, again and again."

    let choice: StageChoice
    let interval: Duration
    let count: Int?
    let format: LiveView.Format

    init(_ field: Fields) {
        choice = StageChoice(field)
        interval = field(
            "interval", "How long to wait between two looks.", default: .seconds(2),
            in: .milliseconds(100) ... .seconds(3600))
        count = field.optional(
            "count", "How often; until it is interrupted without.", example: 3, in: 1...)
        format = field(
            "format", "How a look is printed; json is an object a line, as `batches` has it.",
            default: .text)
    }
}

extension PenstockCommand {
    static func top(_ catalogue: Catalogue) -> Command {
        Command(
            "top", TopOptions.self,
            details: """
                On a terminal each look replaces the one before; elsewhere they follow each other, \
                a blank line between them. Ends by Ctrl-C. While the store or the server does not \
                answer, the last look stays, with a line that says since when and why; json, the \
                last of --count and a first look that is refused end with an error.
                """,
            examples: [
                .init("Pipelines/conversion-reports.json", "A live view."),
                .init(
                    "--count 1 Pipelines/conversion-reports.json", "One look, and the end."),
            ]
        ) { options, console in
            try await options.choice.using(catalogue, console) { operations in
                try await LiveView(
                    interval: options.interval, count: options.count, format: options.format,
                    console: console, clock: .system
                ).show { try await operations.view(BatchSelection(), limit: 15) }
            }
            return .success
        }
    }
}

/// Looks at a stage again and again, and keeps the last look while nobody answers.
struct LiveView: Sendable {
    enum Format: String, Choice { case text, json }

    /// While an answer is waited for, how long that has taken is said anew so often.
    private static let tick = Duration.seconds(1)
    /// An answer may take so long without a word.
    private static let patience = Duration.seconds(3)

    let interval: Duration
    /// How many looks; without an end without it.
    let count: Int?
    let format: Format
    let console: Console
    let clock: PipelineClock

    private struct State {
        var last: StageView?
        /// When somebody answered; the beginning before.
        var answeredAt: Instant
        /// Why the latest look had no answer.
        var reason: String?
        var isFirst = true
    }

    func show(_ look: @escaping @Sendable () async throws -> StageView) async throws {
        let state = Mutex(State(answeredAt: clock.now))
        var looks = 0
        while true {
            looks += 1
            let isLast = count.map { looks >= $0 } ?? false
            do {
                let view = try await waiting(for: look, state)
                state.withLock { state in
                    state.last = view
                    state.answeredAt = clock.now
                    state.reason = nil
                }
                switch format {
                case .text: draw(state)
                case .json: console.out(view.json.written(.compact) + "\n")
                }
            } catch {
                guard format == .text, !isLast, let reason = Self.reason(error) else { throw error }
                let isPassing = reason.isPassing || state.withLock { $0.last != nil }
                guard isPassing else { throw error }
                state.withLock { $0.reason = reason.text }
                draw(state)
            }
            if isLast { return }
            try await clock.sleep(for: interval)
        }
    }

    /// `nil` for what is no answer of whom was asked.
    private static func reason(_ error: any Error) -> (text: String, isPassing: Bool)? {
        switch error {
        case let failure as CommandFailure: (failure.message, failure.code == .unavailable)
        case let error as PipelineError: (error.description, error.disposition == .retryable)
        default: nil
        }
    }

    /// One look. A person is told when it takes long.
    private func waiting(
        for look: @escaping @Sendable () async throws -> StageView, _ state: borrowing Mutex<State>
    ) async throws -> StageView {
        guard console.isOutTerminal, format == .text else { return try await look() }
        return try await withThrowingTaskGroup(of: StageView?.self) { group in
            group.addTask { try await look() }
            var wait = Self.patience
            while true {
                let pause = wait
                group.addTask {
                    try await clock.sleep(for: pause)
                    return nil
                }
                if let view = try await group.next() ?? nil {
                    group.cancelAll()
                    return view
                }
                state.withLock { $0.reason = $0.reason ?? "it takes its time" }
                draw(state)
                wait = Self.tick
            }
        }
    }

    private func draw(_ state: borrowing Mutex<State>) {
        let (last, note, isFirst): (StageView?, String?, Bool) = state.withLock { state in
            defer { state.isFirst = false }
            let seconds = state.answeredAt.duration(to: clock.now).components.seconds
            return (
                state.last, state.reason.map { "no answer since \(seconds) s: \($0)" },
                state.isFirst
            )
        }
        console.out(frame(last, note, isFirst: isFirst))
    }

    /// A look as it goes to a terminal (home, lines that erase what is behind them, erase below),
    /// or to a file.
    private func frame(_ view: StageView?, _ note: String?, isFirst: Bool) -> String {
        let note = note.map { [$0.printable] } ?? []
        guard console.isOutTerminal else {
            let lines = note.isEmpty ? view.map { $0.summary + $0.table } ?? [] : note
            return (isFirst ? "" : "\n") + lines.joined(separator: "\n") + "\n"
        }
        let (width, height) = StandardOutput.size
        let whole =
            (note + (view?.summary ?? [])).flatMap { $0.wrapped(to: width) }
            + (view?.gauge(width: width) ?? [])
        // The cursor stands below; one line more, and the first would be pushed out.
        let lines = (whole + (view?.table ?? [])).prefix(height - 1).map {
            String($0.prefix(width)) + "\u{1B}[K"
        }
        return (isFirst ? "\u{1B}[2J" : "") + "\u{1B}[H" + lines.joined(separator: "\n")
            + "\n\u{1B}[J"
    }
}
