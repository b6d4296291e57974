internal import Foundation
internal import Synchronization

/// The folder that a synthetic checkpoint is written to. Each file gets its name when it is complete.
final class SyntheticFolder: Sendable {
    private static let unfinishedSuffix = ".partial"

    private let path: String
    private let isNew: Bool
    private let created = Mutex<[String]>([])

    /// Makes the folder, or checks that it is empty.
    init(_ path: String) throws(CheckpointError) {
        self.path = path
        isNew = !InputFile.exists(path)
        do {
            if isNew {
                try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
            }
        } catch {
            throw CheckpointError(
                .unwritable, file: path, problem: "cannot be made: \(error.localizedDescription)",
                remedy: "name a folder in a place that can be written to")
        }
        guard let names = try? FileManager.default.contentsOfDirectory(atPath: path) else {
            throw CheckpointError(
                .unwritable, file: path, problem: "is not a folder that can be listed", remedy: "name an empty folder")
        }
        guard names.isEmpty else {
            throw CheckpointError(
                .unwritable, file: path, problem: "is not empty", remedy: "name an empty or a new folder")
        }
    }

    func checkFreeSpace(_ byteCount: Int) throws(CheckpointError) {
        var status = statvfs()
        guard statvfs(path, &status) == 0 else { return }
        let (free, overflow) = Int(clamping: status.f_bavail).multipliedReportingOverflow(
            by: Int(clamping: status.f_frsize))
        if !overflow && free < byteCount {
            throw CheckpointError(
                .unwritable, file: path, problem: "needs \(byteCount) bytes, but its disk has \(free) left",
                remedy: "free \(byteCount - free) bytes or name a folder on another disk")
        }
    }

    /// Removes what was written here, and the folder if it was made here.
    func removeAll() {
        for name in created.withLock({ $0 }) {
            unlink(path + "/" + name)
            unlink(path + "/" + name + Self.unfinishedSuffix)
        }
        if isNew { rmdir(path) }
    }

    func write(_ text: String, name: String) throws(CheckpointError) {
        try writeFile(name) { (file) throws(CheckpointError) in
            try Array(text.utf8).withUnsafeBufferPointer { (bytes) throws(CheckpointError) in
                try file.write(UnsafeRawBufferPointer(bytes), at: 0)
            }
        }
    }

    func write(
        _ shard: SyntheticShard, threads: Int, tables: SyntheticTables, progress: @Sendable (Int) -> Void
    ) throws(CheckpointError) {
        try writeFile(shard.name) { (file) throws(CheckpointError) in
            try shard.header.withUnsafeBufferPointer { (bytes) throws(CheckpointError) in
                try file.write(UnsafeRawBufferPointer(bytes), at: 0)
            }
            let job = SyntheticJob(pieces: shard.pieces(), tables: tables, file: file)
            try job.run(threads: threads, progress: progress)
        }
    }

    private func writeFile(
        _ name: String, _ body: (OutputFile) throws(CheckpointError) -> Void
    ) throws(CheckpointError) {
        created.withLock { $0.append(name) }
        let unfinished = path + "/" + name + Self.unfinishedSuffix
        let file = try OutputFile(path: unfinished)
        try body(file)
        try file.synchronize()
        guard rename(unfinished, path + "/" + name) == 0 else { throw file.unwritable(errno) }
    }
}

/// The pieces of one shard, dealt to threads.
private final class SyntheticJob: Sendable {
    private let pieces: [SyntheticShard.Piece]
    private let tables: SyntheticTables
    private let file: OutputFile
    private let next = Atomic<Int>(0)
    private let written = Atomic<Int>(0)
    private let failure = Mutex<CheckpointError?>(nil)

    init(pieces: [SyntheticShard.Piece], tables: SyntheticTables, file: OutputFile) {
        self.pieces = pieces
        self.tables = tables
        self.file = file
    }

    func run(threads: Int, progress: @Sendable (Int) -> Void) throws(CheckpointError) {
        DispatchQueue.concurrentPerform(iterations: threads) { thread in
            work { if thread == 0 { progress(written.load(ordering: .relaxed)) } }
        }
        if let failure = failure.withLock({ $0 }) { throw failure }
    }

    private func work(_ report: () -> Void) {
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: SyntheticShard.pieceByteCount, alignment: 64)
        defer { memory.deallocate() }
        guard let base = memory.baseAddress else { return }
        while failure.withLock({ $0 == nil }) {
            let index = next.wrappingAdd(1, ordering: .relaxed).oldValue
            guard index < pieces.count else { return }
            let piece = pieces[index]
            piece.tensor.fill(piece.elements, into: base, tables: tables)
            do {
                try file.write(UnsafeRawBufferPointer(rebasing: memory[..<piece.byteCount]), at: piece.fileOffset)
            } catch {
                failure.withLock { $0 = $0 ?? error }
            }
            written.wrappingAdd(piece.byteCount, ordering: .relaxed)
            report()
        }
    }
}
