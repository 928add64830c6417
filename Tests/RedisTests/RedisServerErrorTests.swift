import PipelineTesting
import PipelineCore
import Testing

@testable import Redis

@Suite("What Redis refuses with")
struct RedisServerErrorTests {
    @Test(arguments: [
        ("LOADING Redis is loading the dataset in memory", "cache-unavailable"),
        (
            "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
            "cache-unavailable"
        ),
        ("READONLY You can't write against a read only replica.", "cache-unavailable"),
        ("OOM command not allowed when used memory > 'maxmemory'.", "cache-full"),
        ("NOAUTH Authentication required.", "cache-login"),
        ("NOPERM User app has no permissions to run the 'set' command", "cache-login"),
        ("MOVED 3999 127.0.0.1:6381", "cache-unsupported"),
        ("ERR syntax error", "cache-refused"),
        ("", "cache-refused"),
    ])
    func hasACodeAndPassesUnlessItIsAMistake(reply: String, code: ErrorCode) {
        let error = RedisServerError(reply).pipelineError("h:1")
        let isMistake = ["cache-login", "cache-unsupported"].contains(code)
        #expect(error.disposition == (isMistake ? .fatal : .retryable))
        #expect(error.code == code)
        #expect(error.message.contains("h:1"))
    }

    @Test(arguments: [
        "ERR unknown command 'AUTH', with args beginning with: 's3cret' ",
        "ERR unknown command `AUTH`, with args beginning with: `s3cret`, ",
        "ERR unknown subcommand or wrong number of arguments for 'x'\r\ns3cret",
    ])
    func isShownWithoutTheArgumentsItQuotes(reply: String) {
        let error = RedisServerError(reply)
        #expect(!error.text.contains("s3cret"))
        #expect(error.code == "ERR")
    }
}
