internal import CWire

/// One side cannot go on with the other, and says why in one line.
package struct FailureReport: Sendable, Equatable {
    /// Exit statuses, as sysexits.h numbers them.
    package enum Status {
        package static let failed = 1
        /// EX_USAGE
        package static let usage = 64
        /// EX_NOINPUT
        package static let badInput = 66
        /// EX_TEMPFAIL: it may be gone in a moment.
        package static let busy = 75
    }

    package var message: String
    /// The exit status that the sender's process would end with, or is to end with.
    package var status: Int

    /// A message beyond the limit of the wire is cut: better a part of the reason than none.
    package init(message: String, status: Int) {
        let cut = "..."
        let isShort = message.utf8.count <= WireLimit.messageBytes
        // A character that is cut in two is replaced by one of 3 bytes.
        let room = WireLimit.messageBytes - cut.utf8.count - 3
        self.message = isShort ? message : String(decoding: message.utf8.prefix(room), as: UTF8.self) + cut
        self.status = status
    }

    init(decoding payload: UnsafeRawBufferPointer) throws(ControlError) {
        self = try ProtobufCodec.failure.decode(payload) { (raw) throws(ControlError) in
            FailureReport(
                message: try ProtobufField.text(raw.message, field: "message", limit: WireLimit.messageBytes),
                status: Int(raw.status))
        }
    }

    func encoded() throws(ControlError) -> [UInt8] {
        try ProtobufCodec.failure.encode { (raw, memory) throws(ControlError) in
            raw.message = try memory.string(message, field: "message", limit: WireLimit.messageBytes)
            raw.status = UInt32(status)
        }
    }
}

extension ProtobufCodec<Cohort__Wire__Failure> {
    static var failure: Self {
        Self(
            kind: .failure, initialize: cohort__wire__failure__init, size: cohort__wire__failure__get_packed_size,
            pack: cohort__wire__failure__pack, unpack: cohort__wire__failure__unpack,
            free: cohort__wire__failure__free_unpacked)
    }
}
