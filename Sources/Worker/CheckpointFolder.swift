internal import Checkpoint

/// The checkpoint that was opened last: a worker that joins again need not read its headers again.
final class CheckpointFolder {
    private var opened: (checkpoint: Checkpoint, fingerprint: [UInt8])?

    /// - Throws: `CheckpointError`.
    func open(_ path: String) throws(CheckpointError) -> (checkpoint: Checkpoint, fingerprint: [UInt8]) {
        if let opened, opened.checkpoint.folder == path { return opened }
        let checkpoint = try Checkpoint(folder: path)
        let fresh = (checkpoint, try checkpoint.fingerprint)
        opened = fresh
        return fresh
    }
}
