internal import Foundation

/// What went wrong between this process and another, where, and how to mend it.
package struct TransportError: Error, Equatable, CustomStringConvertible {
    package enum Kind: Sendable, Equatable {
        case unresolved
        case refused
        case unreachable
        case timedOut
        case addressInUse
        /// The link was closed, by either side.
        case closed
        /// The peer does not take what is sent, and more would not fit into the queue.
        case congested
        /// The message is over the limits of the wire.
        case message
        case system
    }

    package let kind: Kind
    package let what: String
    /// The peer or address concerned.
    package let place: String
    package let mend: String

    package init(kind: Kind, what: String, place: String, mend: String) {
        self.kind = kind
        self.what = what
        self.place = place
        self.mend = mend
    }

    package var description: String { "\(place): \(what); \(mend)" }
}

extension TransportError {
    static func closed(_ reason: CloseReason, place: String) -> TransportError {
        TransportError(
            kind: .closed, what: "the link is closed: \(reason)", place: place, mend: "see the peer's own message")
    }

    /// A system call that failed for a reason of the host, not of the peer.
    static func system(_ call: String, _ number: Int32, place: String) -> TransportError {
        let mend: String
        switch number {
        case EMFILE, ENFILE: mend = "raise the limit of open files (ulimit -n, or LimitNOFILE in the unit)"
        case EACCES, EPERM: mend = "choose a port above 1023, or allow this user to use it"
        default: mend = "look at this host's network and limits"
        }
        return TransportError(kind: .system, what: "\(call): \(SystemCall.text(number))", place: place, mend: mend)
    }
}
