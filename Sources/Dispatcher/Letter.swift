internal import Transport
internal import Wire

/// A share of a batch that is ready to be sent, and what came of it.
struct Letter {
    enum Outcome {
        case waiting
        case sent(FrameHeader)
        case failed(reason: String)
    }

    let worker: Int
    let link: any Link
    /// Of the parcel.
    let identifier: UInt64
    private(set) var outcome = Outcome.waiting

    init(worker: Int, link: any Link, identifier: UInt64) {
        self.worker = worker
        self.link = link
        self.identifier = identifier
    }

    /// For any thread.
    mutating func send(_ header: FrameHeader, _ segments: [UnsafeRawBufferPointer]) {
        do {
            try link.send(header, segments)
            outcome = .sent(header)
        } catch {
            outcome = .failed(reason: "\(error)")
        }
    }
}
