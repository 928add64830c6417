public import PipelineCore

extension LedgerNeed {
    /// What of the ledger's state would be stranded, or is somebody else's.
    ///
    /// - Parameter stored: what the ledger holds, of all stages.
    public func findings(stored: [StageState]) -> [ResourceFinding] {
        if owners.isEmpty { return [] }
        let subject = ResourceNeed.ledger(self).subject
        // Other files may be run beside this one.
        let ownership = StateOwnership(owners: owners, stored: stored, isExclusive: false)
        let objections = ownership.objections(pipeline: pipeline, stage: stage)
        if !objections.isEmpty {
            return objections.map {
                ResourceFinding(subject, .wrong, $0.problem, hint: $0.remedy)
            }
        }
        return ownership.elsewhere.map {
            ResourceFinding(
                subject, .ok,
                "it holds \($0.openWork) of \($0.name), too: `run` has to have that file as well")
        }
    }

    /// What a ledger is going to make of the rule, see ``Ledger/register()``.
    ///
    /// - Parameter stored: the rule that the ledger has; `nil` for a new stage.
    public func finding(stored: (ruleText: String, revision: Int64)?) -> ResourceFinding {
        let subject = ResourceNeed.ledger(self).subject
        if mustExist {
            return stored == nil
                ? ResourceFinding(
                    subject, .wrong, "neither `run` nor `migrate` has made the stage there")
                : ResourceFinding(subject, .ok, "the stage is there")
        }
        guard let stored else {
            return ResourceFinding(
                subject, .ok, "a new stage, with revision \(revision ?? 1) of its rule")
        }
        let isSame = stored.ruleText == ruleText
        let next = revision ?? (isSame ? stored.revision : stored.revision + 1)
        if next < stored.revision {
            return ResourceFinding(
                subject, .wrong,
                "revision \(stored.revision) of the rule is in force: a process with \(next) does not seal",
                hint: "\"revision\": \(stored.revision + 1) makes this rule the newest")
        }
        if isSame {
            return ResourceFinding(
                subject, .ok, "this rule is in force, as revision \(stored.revision)")
        }
        if next == stored.revision {
            return ResourceFinding(
                subject, .wrong, "another rule is in force under the same revision, \(next)",
                hint: "\"revision\": \(next + 1) makes this rule the newest")
        }
        return ResourceFinding(
            subject, .ok,
            "another rule is in force, as revision \(stored.revision): `run` replaces it by this one, as \(next)"
        )
    }
}
