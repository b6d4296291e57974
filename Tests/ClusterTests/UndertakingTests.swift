import Cluster
import TestSupport
import Testing

@Suite struct UndertakingTests {
    private func status(_ change: (inout ClusterStatus) -> Void) -> ClusterStatus {
        var status = FakeCluster.sample
        change(&status)
        return status
    }

    private func isGoing(_ progress: Undertaking.Progress) -> Bool {
        if case .going = progress { true } else { false }
    }

    private func isFailed(_ progress: Undertaking.Progress, _ part: String) -> Bool {
        if case .failed(let reason) = progress { reason.contains(part) } else { false }
    }

    @Test("a rebalance goes on while it is under way or waits, whatever came before it")
    func rebalanceGoes() {
        let rebalance = Undertaking(.rebalance)
        for phase in ["planning", "filling", "switching", "draining"] {
            let progress = rebalance.progress(
                status {
                    $0.migration.phase = phase
                    $0.migration.request = "rebalance"
                    $0.migration.doneBytes = 5
                    $0.migration.totalBytes = 9
                })
            #expect(progress == .going("rebalance: \(phase)", doneBytes: 5, totalBytes: 9))
        }
        let waiting = rebalance.progress(
            status {
                $0.migration.phase = "filling"
                $0.migration.request = "drain worker-2"
                $0.migration.queue = ["rebalance"]
            })
        #expect(waiting == .going("rebalance: waits for drain worker-2", doneBytes: 0, totalBytes: 0))
    }

    @Test("a rebalance ends as the status says, and another request's end is not its own")
    func rebalanceEnds() {
        let rebalance = Undertaking(.rebalance)
        #expect(rebalance.progress(FakeCluster.sample) == .done("rebalance: done"))
        let nothing = status { $0.migration.last = "rebalance: \(RebalanceOutcome.nothing)" }
        #expect(rebalance.progress(nothing) == .done("rebalance: there was nothing to do"))
        let failed = status {
            $0.migration.phase = "failed"
            $0.migration.request = "rebalance"
            $0.migration.last = "rebalance: failed: worker 1 cannot fill it"
        }
        #expect(isFailed(rebalance.progress(failed), "cannot fill"))
        let incomplete = status { $0.migration.last = "rebalance: incomplete: no room for 3 slots" }
        #expect(isFailed(rebalance.progress(incomplete), "no room"))
        let other = status { $0.migration.last = "drain worker-1: failed" }
        #expect(rebalance.progress(other) == .done("rebalance: ended"))
        let overtaken = status {
            $0.migration.phase = "failed"
            $0.migration.request = "drain worker-1"
            $0.migration.last = "drain worker-1: failed"
        }
        #expect(rebalance.progress(overtaken) == .done("rebalance: ended"))
    }

    @Test("a worker is drained when it has left or its name is gone")
    func drainEnds() {
        let drain = Undertaking(.drain(name: "worker-2"))
        let draining = status { $0.workers[1].state = "draining" }
        #expect(isGoing(drain.progress(draining)))
        let left = status { $0.workers[1].state = "left" }
        let gone = status { $0.workers.remove(at: 1) }
        for end in [left, gone] { #expect(drain.progress(end) == .done("worker-2 is empty and has left")) }
    }

    @Test("a worker that is ready again or lost is not drained")
    func drainFails() {
        let drain = Undertaking(.drain(name: "worker-2"))
        let waiting = status { $0.migration.queue = ["drain worker-2"] }
        #expect(isGoing(drain.progress(waiting)), "it may not have been marked yet")
        let refusal = MembershipError.noRoom("worker-2", slots: 4)
        let full = status { $0.migration.last = "\(refusal)" }
        #expect(isFailed(drain.progress(full), "no room for 4 slots"))
        let cut = status { $0.migration.last = "drain worker-2: failed: the disk is gone" }
        #expect(isFailed(drain.progress(cut), "the disk is gone"))
        let other = status { $0.migration.last = "\(MembershipError.noRoom("worker-1", slots: 4))" }
        #expect(isFailed(drain.progress(other), "not drained"))
        #expect(isFailed(drain.progress(FakeCluster.sample), "not drained"))
        let lost = Undertaking(.drain(name: "worker-3"))
        #expect(isFailed(lost.progress(FakeCluster.sample), "the link was closed"))
    }
}
