import PipelineCore
import PipelineSimulation
import Synchronization

/// What a seed decides about a world before it begins.
struct WorldPlan: Sendable {
    var workers = 2
    var partitions = 2
    /// Requests, over the horizon; then the arrivals and the faults end.
    var requests = 80
    var horizon: Duration = .minutes(60)

    var count = 8
    var maxBatch = 8
    var maxAge: Duration = .minutes(10)
    var deadlineMargin: Duration?
    var minInterval: Duration = .zero
    var lease: Duration = .seconds(60)
    var poll: Duration = .seconds(20)
    var maxChunk = 16
    /// Dedupe remembers in the shared cache instead of in its process.
    var sharesMemory = false

    var kills = 0
    var pauses = 0
    var stops = 0
    var cacheLosses = 0
    var outages = 0
    /// Share of lease calls at which the process stalls for about as long as the lease.
    var stalls = 0.0
    var failingRuns = 0.0
    var conditions = CallConditions()
    /// Share of requests that no generator can answer, that are refused, or that can't be read.
    var poison = 0.0
    var refused = 0.0
    var malformed = 0.0
    /// Share of requests that repeat an earlier one, or contradict it.
    var repeats = 0.0
    var conflicts = 0.0
    /// Share of requests that callers hand in.
    var calls = 0.0

    /// How far away the deadlines are at most that some of the requests name.
    var latestDeadline: Duration = .seconds(20_000)
    /// Whether nothing happens that could make an answer late.
    var keepsDeadlines = false

    /// After that everything must have been answered.
    var bound: Duration { horizon + maxAge + minInterval + .minutes(90) }

    /// A quiet day. Where the rule looks at deadlines, they are what seals most of its batches.
    init(quiet random: inout SplitMix64) {
        self.init(any: &random)
        guard deadlineMargin != nil else { return }
        keepsDeadlines = true
        latestDeadline = .minutes(40)
        maxAge = .minutes(90)
        count *= 4
        maxBatch *= 4
    }

    private init(any random: inout SplitMix64) {
        workers = .random(in: 1...3, using: &random)
        partitions = .random(in: 1...4, using: &random)
        requests = .random(in: 30...120, using: &random)
        count = .random(in: 2...16, using: &random)
        maxBatch = Bool.random(using: &random) ? count : .random(in: 2...20, using: &random)
        maxAge = .seconds(.random(in: 60...1200, using: &random))
        deadlineMargin = Bool.random(using: &random) ? .minutes(5) : nil
        minInterval = Bool.random(using: &random) ? .zero : .seconds(30)
        lease = .seconds(.random(in: 20...90, using: &random))
        poll = .seconds(.random(in: 5...60, using: &random))
        maxChunk = .random(in: 1...24, using: &random)
        sharesMemory = Bool.random(using: &random)
        repeats = 0.15
        conflicts = 0.03
        malformed = 0.03
        refused = 0.05
        calls = 0.3
    }

    /// Everything that can go wrong does.
    init(rough random: inout SplitMix64) {
        self.init(any: &random)
        workers = .random(in: 2...3, using: &random)
        kills = .random(in: 0...10, using: &random)
        pauses = .random(in: 0...6, using: &random)
        stops = .random(in: 0...4, using: &random)
        cacheLosses = .random(in: 0...2, using: &random)
        outages = .random(in: 0...2, using: &random)
        stalls = 0.05
        failingRuns = 0.1
        poison = 0.04
        conditions.refused = 0.02
        conditions.lost = 0.03
        conditions.slow = 0.02
    }
}

extension World {
    func schedule(_ traffic: Traffic) {
        for arrival in traffic.arrivals {
            simulator.schedule(at: arrival.at) { [self] in
                switch arrival.way {
                case .topic:
                    let record = OutgoingRecord(key: arrival.key, payload: arrival.payload)
                    bus.append([record], to: "requests")
                case .call:
                    clients.call(arrival.payload) { [self] in someWorker() }
                }
            }
        }
    }

    /// A process that a caller reaches.
    private func someWorker() -> Worker? {
        let workers = state.withLock { state in
            state.isOver ? [] : state.live.compactMap(\.self).filter { $0.process.isAlive }
        }
        return workers.isEmpty ? nil : workers[simulator.below(workers.count)]
    }

    func scheduleFaults() {
        times(plan.kills) { [self] slot, worker in
            // Not now, but just before one of its next jobs: every await can be the last one.
            let process = worker.process
            process.kill(atJob: process.jobs + 1 + simulator.below(120)) { [self] in
                simulator.log("kill \(process.name)")
                state.withLock { $0.kills += 1 }
                restart(slot, process)
            }
        }
        times(plan.pauses) { [self] _, worker in
            let pause = simulator.duration(.seconds(1)...plan.lease * 4)
            simulator.log("pause \(worker.process.name) \(pause)")
            worker.process.pause(for: pause)
        }
        times(plan.stops) { [self] _, worker in
            simulator.log("stop \(worker.process.name)")
            worker.stop()
        }
        times(plan.cacheLosses) { [self] _, _ in
            simulator.log("lose the cache")
            cache.lose()
        }
    }

    private func times(_ count: Int, _ fault: @escaping @Sendable (Int, Worker) -> Void) {
        for _ in 0..<count {
            let at = simulator.now.advanced(by: simulator.duration(.zero...plan.horizon))
            simulator.schedule(at: at) { [self] in
                let slot = simulator.below(plan.workers)
                guard let worker = state.withLock({ $0.isOver ? nil : $0.live[slot] }),
                    worker.process.isAlive
                else { return }
                fault(slot, worker)
            }
        }
    }
}
