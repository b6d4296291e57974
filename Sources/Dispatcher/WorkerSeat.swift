package import Transport
package import Wire

/// What the coordinator expects of one worker: its name, what it is to hold, and how much memory that takes.
package struct WorkerSeat: Sendable {
    package let name: String
    package let assignment: Assignment
    /// Bytes of expert weights.
    package let weightBytes: Int
    /// Bytes that its experts may take at most, whatever it offers; nil: what it offers.
    package let memoryLimit: Int?

    package init(name: String, assignment: Assignment, weightBytes: Int, memoryLimit: Int? = nil) {
        self.name = name
        self.assignment = assignment
        self.weightBytes = weightBytes
        self.memoryLimit = memoryLimit
    }

    package var slotCount: Int { assignment.slots.reduce(0) { $0 + $1.experts.count } }
}

/// A worker that holds its experts: its link is in no exchange and nothing is under way on it.
package struct ReadyWorker: Sendable {
    package let seat: WorkerSeat
    package let link: any Link
    package let description: WorkerDescription
    package let report: ReadyReport

    package init(seat: WorkerSeat, link: any Link, description: WorkerDescription, report: ReadyReport) {
        self.seat = seat
        self.link = link
        self.description = description
        self.report = report
    }
}
