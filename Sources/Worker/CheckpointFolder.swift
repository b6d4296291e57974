internal import Checkpoint

/// The checkpoint that was opened last: a worker that joins again need not read its headers again, as long as nobody
/// has reason to believe that other files stand there now.
final class CheckpointFolder {
    private var opened: (checkpoint: Checkpoint, fingerprint: [UInt8])?

    /// - Parameter expected: the fingerprint that the coordinator names; one that was opened before and has another is
    ///   opened anew. nil: whatever was opened before will do.
    /// - Throws: `CheckpointError`.
    func open(
        _ path: String, expecting expected: [UInt8]? = nil
    ) throws(CheckpointError) -> (checkpoint: Checkpoint, fingerprint: [UInt8]) {
        if let opened, opened.checkpoint.folder == path, expected.map({ $0 == opened.fingerprint }) ?? true {
            return opened
        }
        let checkpoint = try Checkpoint(folder: path)
        let fresh = (checkpoint, try checkpoint.fingerprint)
        opened = fresh
        return fresh
    }

    /// The files may be replaced before the checkpoint is needed again.
    func forget() { opened = nil }
}
