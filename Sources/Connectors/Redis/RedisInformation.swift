internal import PipelineCore

/// What a server says of itself, as `name:value` lines
/// ([INFO](https://redis.io/docs/latest/commands/info/)).
struct RedisInformation {
    private var values: [Substring: Substring] = [:]

    init(_ text: String) {
        for line in text.split(whereSeparator: \.isNewline) {
            guard let colon = line.firstIndex(of: ":") else { continue }
            values[line[..<colon]] = line[line.index(after: colon)...]
        }
    }

    var finding: ResourceFinding {
        let version = values["redis_version"].map { "Redis \($0)" } ?? "it answers"
        if values["role"] == "slave" {
            return ResourceFinding(
                .wrong, "\(version), a read-only replica", hint: "name its primary")
        }
        guard let limit = values["maxmemory"].flatMap({ Int($0) }) else {
            return ResourceFinding(.ok, version)
        }
        if limit == 0 { return ResourceFinding(.ok, "\(version), no maxmemory") }
        let policy = values["maxmemory_policy"].map(String.init) ?? "unknown"
        return ResourceFinding(
            .ok, "\(version), maxmemory \(limit >> 20) MiB, \(policy)",
            hint: policy == "noeviction"
                ? "once it is full it takes nothing more; maxmemory-policy allkeys-lru evicts"
                : nil)
    }
}
