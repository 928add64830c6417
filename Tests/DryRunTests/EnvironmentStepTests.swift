import DryRunReport
import Testing

@Suite("The environment's entries", .timeLimit(.minutes(1)))
struct EnvironmentStepTests {
    /// A pipeline whose bus has these settings.
    private func entries(
        bus: String, variables: [String: String] = [:], files: [String: String] = [:]
    ) async throws -> [DryRunCheck] {
        var checklist = Checklist(variables: variables, files: files)
        checklist.isOffline = true
        return try await checklist.report(
            on: """
                { "version": 1, "name": "p", "resources": { "bus": \(bus) }, "stages": [
                  { "id": "in", "type": "ingest", "from": [ { "resource": "bus", "topic": "a" } ] },
                  { "id": "out", "type": "publish", "to": "bus", "topic": "b" } ] }
                """
        ).checks.filter { $0.step == .environment }
    }

    @Test("show a value, without the password in it")
    func credentials() async throws {
        let entries = try await entries(
            bus: #"{ "url": { "$env": "BUS" } }"#, variables: ["BUS": "kafka://u:s3cret@h:9092"])
        #expect(entries == [DryRunCheck(.environment, "BUS", .ok, "kafka://***@h:9092")])
    }

    @Test(
        "never show what is handed on to a library, or what is called a secret",
        arguments: [
            (#"{ "url": "kafka://h", "client.id": { "$env": "NAME" } }"#, "NAME"),
            (
                #"{ "url": "kafka://h", "sasl.password": { "$env": "BUS_PASSWORD" } }"#,
                "BUS_PASSWORD"
            ),
            (#"{ "url": { "$env": "SECRET_URL" } }"#, "SECRET_URL"),
        ])
    func secrets(_ bus: String, _ variable: String) async throws {
        let entries = try await entries(bus: bus, variables: [variable: "kafka://s3cret"])
        #expect(entries == [DryRunCheck(.environment, variable, .ok, "is set")])
    }

    @Test("say that a file was read, and not what is in it")
    func file() async throws {
        let entries = try await entries(
            bus: #"{ "url": { "$file": "/run/secrets/bus" } }"#,
            files: ["/run/secrets/bus": "kafka://h:9092\n"])
        #expect(entries == [DryRunCheck(.environment, "/run/secrets/bus", .ok, "was read")])
    }

    @Test("say that a file can't be read, and why")
    func missingFile() async throws {
        let entries = try await entries(bus: #"{ "url": { "$file": "/run/secrets/bus" } }"#)
        #expect(entries.map(\.status) == [.fail])
        #expect(entries[0].detail.contains("no such file"))
    }

    @Test("name every variable that is missing, once")
    func missing() async throws {
        let entries = try await entries(
            bus: #"{ "url": { "$env": "BUS" }, "client.id": { "$env": "NAME" } }"#,
            variables: ["NAME": ""])
        #expect(entries.map(\.subject) == ["BUS", "NAME"])
        #expect(entries.allSatisfy { $0.status == .fail })
        #expect(entries[0].detail.contains("$.resources.bus.url"))
        #expect(entries[0].hint == "set it, or give a \"default\"")
    }

    @Test("name the variables for which the file has a value of its own")
    func defaults() async throws {
        let entries = try await entries(
            bus: #"{ "url": { "$env": "BUS", "default": "kafka://h" } }"#)
        #expect(entries == [DryRunCheck(.environment, "by default", .ok, "BUS")])
    }

    @Test("say so when there are none")
    func none() async throws {
        let entries = try await entries(bus: #"{ "url": "kafka://h" }"#)
        #expect(entries.map(\.detail) == ["the file refers to no variables and no files"])
    }

    @Test("point at a value that will do for nothing, whatever the file says")
    func invalid() async throws {
        let entries = try await entries(
            bus: #"{ "url": { "$env": "BUS" } }"#, variables: ["BUS": "kafak://h:9092"])
        #expect(entries.map(\.status) == [.fail])
        #expect(entries[0].detail.contains("no connector knows the scheme \"kafak\""))
        #expect(entries[0].hint?.contains("kafka") == true)
    }
}
