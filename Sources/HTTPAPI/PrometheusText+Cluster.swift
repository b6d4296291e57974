internal import Cluster

extension PrometheusText {
    /// The cluster's placement, what happened to it, and its workers.
    mutating func add(_ status: ClusterStatus) {
        write("cohort_placement_epoch", .gauge, "The placement's version.", Int(status.epoch))
        write(
            "cohort_tokens_per_second", .gauge, "Tokens through the last layer, prompts included.",
            status.tokensPerSecond)
        write(
            "cohort_balancedness", .gauge, "Mean over maximum of the tokens per worker: 1 is level.",
            status.balancedness)
        write("cohort_slots", .gauge, "Slots that workers hold, replicas included.", status.slotCount)
        write("cohort_missing_slots", .gauge, "Slots that no worker holds.", status.missingSlots)
        write("cohort_missing_seconds", .gauge, "How long slots have been missing.", status.missingSeconds)
        write(
            "cohort_migration_bytes", .gauge, "Bytes of the placement's change that is under way.",
            status.migration.totalBytes)
        write(
            "cohort_migration_done_bytes", .gauge, "Bytes of that change that have been loaded.",
            status.migration.doneBytes)
        write("cohort_migration_queue", .gauge, "Changes that wait for their turn.", status.migration.queue.count)
        write("cohort_placement_switches_total", .counter, "Placements put in force.", status.totals.switches)
        write("cohort_migrated_bytes_total", .counter, "Bytes loaded by placement changes.", status.totals.movedBytes)
        write("cohort_lost_workers_total", .counter, "Workers lost.", status.totals.lostWorkers)
        write(
            "cohort_resent_pairs_total", .counter, "(token, expert, rank) pairs asked of another worker after a loss.",
            status.totals.resentPairs)
        write(
            "cohort_hedged_pairs_total", .counter, "(token, expert, rank) pairs asked of a second worker for slowness.",
            status.totals.hedgedPairs)
        add(status.workers)
    }

    private mutating func add(_ workers: [ClusterStatus.Worker]) {
        addStates(workers)
        write(workers, "cohort_worker_rows_total", .counter, "Rows sent to a worker.") { $0.rows }
        write(workers, "cohort_worker_pairs_total", .counter, "(row, expert) pairs that a worker computed.") {
            $0.pairs
        }
        write(workers, "cohort_worker_sent_bytes_total", .counter, "Bytes sent to a worker.") { $0.sentBytes }
        write(workers, "cohort_worker_received_bytes_total", .counter, "Bytes received from a worker.") {
            $0.receivedBytes
        }
        write(workers, "cohort_worker_busy_seconds_total", .counter, "Time that a worker spent computing.") {
            $0.busySeconds
        }
        write(workers, "cohort_worker_slots", .gauge, "Slots that a worker answers for.") { $0.slots }
        write(workers, "cohort_worker_slot_bytes", .gauge, "Bytes of those slots.") { $0.slotBytes }
        write(workers, "cohort_worker_memory_bytes", .gauge, "Bytes that a worker's experts may take.") {
            $0.memoryBytes
        }
        write(workers, "cohort_worker_busy_share", .gauge, "Share of the time in which a worker computes.") {
            $0.busyShare
        }
        write(workers, "cohort_worker_wait_seconds", .gauge, "Mean time of a dispatch on the network and in the queue.")
        {
            $0.waitMilliseconds / 1e3
        }
    }

    /// One sample for each state, so that an alarm can be set on any of them.
    private mutating func addStates(_ workers: [ClusterStatus.Worker]) {
        guard !workers.isEmpty else { return }
        head("cohort_worker_state", .gauge, "1 for the state in which a worker is.")
        for worker in workers {
            for state in Member.State.allCases.map(\.rawValue) {
                let labels = "worker=\"\(Self.escaped(worker.name))\",state=\"\(state)\""
                text += "cohort_worker_state{\(labels)} \(worker.state == state ? 1 : 0)\n"
            }
        }
    }

    private mutating func write(
        _ workers: [ClusterStatus.Worker], _ name: String, _ kind: Kind, _ help: String,
        _ value: (ClusterStatus.Worker) -> any Numeric
    ) {
        guard !workers.isEmpty else { return }
        write(name, kind, help, workers.map { ("worker", $0.name, value($0)) })
    }
}
