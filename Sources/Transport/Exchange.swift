package import Wire

/// What an exchange tells the thread that waits on it.
package enum ExchangeEvent {
    /// The payload is aligned to 16 bytes and valid only until the handler returns.
    case frame(any Link, FrameHeader, UnsafeRawBufferPointer)
    /// A listener accepted a connection; the exchange holds its link already.
    case accepted(any Link)
    /// The link is closed and no longer in the exchange. Comes once for each link that was not removed before.
    case closed(any Link, CloseReason)
}

package enum WaitResult: Sendable, Equatable {
    /// The handler was called for at least one event.
    case delivered
    case woken
    case timedOut
}

/// A set of links that one thread waits on. `add` and `wake` are for any thread; `wait` and `remove` for that one.
package protocol Exchange: AnyObject, Sendable {
    /// Adds a link that no other exchange holds. It takes part from the next or the present wait on.
    func add(_ link: any Link)

    /// Takes a link out, open and with all that it has received and not delivered: another exchange may add it.
    func remove(_ link: any Link)

    /// Makes the present wait, or the next, return `.woken`.
    func wake()

    /// Calls `handler` for what has happened, waiting for it until `deadline` if nothing has; for the first `spin` of
    /// that the thread polls and does not sleep. Queued output is sent meanwhile. The handler may send, close, add and
    /// remove, and must not wait.
    func wait(until deadline: Instant, spin: Duration, _ handler: (ExchangeEvent) -> Void) -> WaitResult
}
