import PipelineCore
import PipelineSimulation
import Synchronization

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
