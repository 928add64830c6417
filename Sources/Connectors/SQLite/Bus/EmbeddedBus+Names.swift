public import PipelineCore

extension EmbeddedBus {
    /// Moves the positions of groups that are named after a stage, `pipeline.stage`. Those of a group
    /// that is there under the new name stay as they are.
    ///
    /// - Returns: what was moved, in sentences without a full stop.
    public func rename(_ old: StateName, to new: StateName) async throws -> [String] {
        try await database.write { connection in
            guard try connection.hasTable("bus_positions") else { return [] }
            var moved: [String] = []
            var groups: [String] = []
            try connection.forEach("SELECT DISTINCT group_name FROM bus_positions") {
                groups.append($0.text(0))
            }
            for group in groups {
                guard let renamed = Self.renamed(group, old, new) else { continue }
                if groups.contains(renamed) {
                    throw PipelineError.fatal(
                        "state-owned",
                        "the consumer group \(renamed) has positions of its own, which can't be"
                            + " merged with those of \(group)")
                }
                try connection.run(
                    "UPDATE bus_positions SET group_name = ?2 WHERE group_name = ?1", group,
                    renamed)
                moved.append("the consumer group \(group) is \(renamed) now")
            }
            return moved
        }
    }

    private static func renamed(_ group: String, _ old: StateName, _ new: StateName) -> String? {
        let parts = group.split(separator: ".", maxSplits: 1)
        guard parts.count == 2, parts[0] == old.pipeline else { return nil }
        guard let part = old.part else { return "\(new.pipeline).\(parts[1])" }
        return parts[1] == part ? "\(new.pipeline).\(new.part ?? part)" : nil
    }
}
