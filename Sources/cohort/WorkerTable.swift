internal import Dispatcher
internal import Foundation

/// What each worker did, as a table.
struct WorkerTable {
    private let activity: [WorkerActivity]

    init(_ activity: [WorkerActivity]) {
        self.activity = activity
    }

    var text: String {
        let head = [
            "worker", "experts held", "weights", "resident", "rows served", "pairs", "bytes in", "bytes out", "busy",
        ]
        let rows = activity.map { worker in
            [
                worker.name, "\(worker.slotCount)", "\(ByteCount(worker.weightBytes))",
                "\(ByteCount(worker.residentBytes))", "\(worker.rowCount)", "\(worker.pairCount)",
                "\(ByteCount(worker.bytesOut))", "\(ByteCount(worker.bytesIn))",
                String(format: "%.3f s", Double(worker.busyMicroseconds) / 1e6),
            ]
        }
        let widths = head.indices.map { column in ([head] + rows).map { $0[column].count }.max() ?? 0 }
        return ([head] + rows).map { row in
            zip(row, widths).enumerated().map { column, cell in
                let padding = String(repeating: " ", count: cell.1 - cell.0.count)
                return column == 0 ? cell.0 + padding : padding + cell.0
            }.joined(separator: "  ")
        }.joined(separator: "\n")
    }

    func print() {
        guard !activity.isEmpty else { return }
        FileHandle.standardError.write(Data((text + "\n").utf8))
    }
}
