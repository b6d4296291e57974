internal import Cluster
internal import Dispatcher
internal import Foundation
internal import Worker

/// What each worker did, and what each process holds, as a table. Bytes are seen from the worker; what is resident of a
/// worker was read when it was ready.
struct WorkerTable {
    private let activity: [WorkerActivity]

    init(_ activity: [WorkerActivity]) {
        self.activity = activity
    }

    var text: String {
        var table = TextTable(header: [
            "process", "experts held", "weights", "resident", "rows served", "pairs", "bytes in", "bytes out", "busy",
        ])
        for worker in activity {
            table.add([
                worker.name, Amount.grouped(worker.slotCount), Amount.bytes(worker.weightBytes),
                Amount.bytes(worker.residentBytes), Amount.grouped(worker.rowCount), Amount.grouped(worker.pairCount),
                Amount.bytes(worker.bytesOut), Amount.bytes(worker.bytesIn),
                Amount.seconds(Double(worker.busyMicroseconds) / 1e6),
            ])
        }
        table.add(["coordinator", "", "", Amount.bytes(ResidentMemory.byteCount), "", "", "", "", ""])
        return table.lines().joined(separator: "\n")
    }

    func print() {
        StandardStream.error(text + "\n")
    }
}
