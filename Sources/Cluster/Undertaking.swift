/// A command that somebody waits for, followed through the statuses that come after its acceptance.
package struct Undertaking: Sendable, Hashable {
    package enum Progress: Sendable, Hashable {
        /// What is being done; bytes are 0 where they are not known yet.
        case going(String, doneBytes: Int, totalBytes: Int)
        /// It ended well, and how.
        case done(String)
        /// It ended otherwise, and why.
        case failed(String)
    }

    package let command: ClusterCommand

    package init(_ command: ClusterCommand) {
        self.command = command
    }

    /// - Parameter status: of any time after the command was accepted.
    package func progress(_ status: ClusterStatus) -> Progress {
        switch command {
        case .rebalance: rebalance(status)
        case .drain(let name): drain(name, status)
        case .remove(let name): .done("\(name) is removed; what it alone held is loaded by the others")
        }
    }

    private func rebalance(_ status: ClusterStatus) -> Progress {
        if let going = going(status) { return going }
        let migration = status.migration
        if migration.phase == "failed", migration.request == command.description {
            return .failed(migration.last ?? "rebalance: failed")
        }
        guard let outcome = outcome(status) else { return .done("rebalance: ended") }
        return isGood(outcome) ? .done("rebalance: \(outcome)") : .failed("rebalance: \(outcome)")
    }

    /// A worker that is empty has left; one whose slots find no room is ready again.
    private func drain(_ name: String, _ status: ClusterStatus) -> Progress {
        guard let worker = status.workers.first(where: { $0.name == name }), worker.state != "left" else {
            return .done("\(name) is empty and has left")
        }
        if worker.state == "lost" {
            return .failed("\(name) was lost before it was empty" + (worker.reason.map { ": \($0)" } ?? ""))
        }
        if let going = going(status) { return going }
        if worker.state == "draining" { return .going("\(command): about to begin", doneBytes: 0, totalBytes: 0) }
        return .failed(reason(name, status) ?? "\(name) is \(worker.state) again: not drained")
    }

    /// Progress while the command is under way or waits for its turn.
    private func going(_ status: ClusterStatus) -> Progress? {
        let migration = status.migration
        let isCurrent = migration.request == command.description && migration.phase != "failed"
        if isCurrent, migration.phase != "idle" {
            return .going(
                "\(command): \(migration.phase)", doneBytes: migration.doneBytes, totalBytes: migration.totalBytes)
        }
        guard migration.queue.contains(command.description) else { return nil }
        let current = migration.phase == "failed" ? nil : migration.request
        return .going(
            "\(command): waits" + (current.map { " for \($0)" } ?? ""), doneBytes: 0, totalBytes: 0)
    }

    /// How the last request ended, if it was this one.
    private func outcome(_ status: ClusterStatus) -> String? {
        let head = "\(command): "
        guard let last = status.migration.last, last.hasPrefix(head) else { return nil }
        return String(last.dropFirst(head.count))
    }

    /// Why a worker is not let go: a refusal names it.
    private func reason(_ name: String, _ status: ClusterStatus) -> String? {
        if let outcome = outcome(status) { return "\(command): \(outcome)" }
        return status.migration.last.flatMap { $0.contains("'\(name)'") ? $0 : nil }
    }

    private func isGood(_ outcome: String) -> Bool {
        [RebalanceOutcome.done, .nothing].contains { outcome == $0.description }
    }
}

extension ClusterCommand: CustomStringConvertible {
    /// As `ClusterStatus.Migration` names what is under way.
    package var description: String {
        switch self {
        case .rebalance: "rebalance"
        case .drain(let name): "drain \(name)"
        case .remove(let name): "remove \(name)"
        }
    }
}
