internal import Foundation
internal import Synchronization
package import Wire

/// Waits on TCP links and, if it has one, on a listener.
///
/// `added` and the wakers are for all threads; everything else belongs to the thread that waits, which is why the
/// class may be shared without a lock around a whole wait.
package final class TCPExchange: Exchange, Sendable {
    package struct Limits: Sendable {
        /// A frame that has begun must be here after so long a wait for it.
        package var frameCompletion: Duration = .seconds(30)
        /// Connections are left in the backlog while there are so many links.
        package var linkCount = 1024

        package init() {}
    }

    /// Up to so many links are asked one by one while spinning, which is quicker than to ask the kernel which is ready.
    private static let directLinkCount = 4
    /// Pause after the host had no descriptors left, so that a full table does not make the thread spin.
    private static let acceptPause = Duration.milliseconds(100)

    private let time: any TimeSource
    private let limits: Limits
    private let listener: TCPListener?
    private let waker: Waker
    private let added = Mutex<[TCPLink]>([])
    private let isWoken = Atomic<Bool>(false)

    private nonisolated(unsafe) var members: [Member] = []
    private nonisolated(unsafe) var polls = PollSet()
    private nonisolated(unsafe) var isWaiting = false
    private nonisolated(unsafe) var acceptsAgain = Instant(nanoseconds: 0)
    /// Nanoseconds spent outside of `wait`, where no frame could be completed.
    private nonisolated(unsafe) var absence: UInt64 = 0
    private nonisolated(unsafe) var lastWaitEnd: Instant?

    /// A link and what the exchange remembers of it.
    private final class Member {
        let link: TCPLink
        var isHeld = true
        /// Another exchange may have left whole frames in the link's buffer, of which no poll tells.
        var isFresh = true
        /// Whether the last poll had something to tell of it.
        var isReady = false
        /// When the frame began that is not whole yet, and the absence up to then.
        var partial: (since: Instant, absence: UInt64)?

        init(_ link: TCPLink) {
            self.link = link
        }
    }

    package init(
        listener: TCPListener? = nil, limits: Limits = Limits(), time: any TimeSource = MonotonicTime()
    ) throws(TransportError) {
        self.listener = listener
        self.limits = limits
        self.time = time
        waker = try Waker()
    }

    deinit {
        for member in members { member.link.attach(nil) }
    }

    package func wait(
        until deadline: Instant, spin: Duration, _ handler: (ExchangeEvent) -> Void
    ) -> WaitResult {
        precondition(!isWaiting, "the handler of an exchange must not wait on it")
        isWaiting = true
        let entered = time.now()
        absence += lastWaitEnd.map { entered.nanoseconds(since: $0) } ?? 0
        defer {
            isWaiting = false
            lastWaitEnd = time.now()
        }
        let spinEnd = min(entered + spin, deadline)
        adopt()
        var delivered = entered < spinEnd && look(handler)
        while !delivered {
            if isWoken.exchange(false, ordering: .acquiringAndReleasing) { return .woken }
            let now = time.now()
            if closeStalled(at: now, handler) { return .delivered }
            if now < spinEnd {
                // The peer may need this very core: without the yield a spin on a full machine costs whole time slices.
                sched_yield()
                if waker.reset() { adopt() }
                delivered = look(handler)
            } else {
                delivered = sleep(until: min(deadline, wakeUp(after: now)), from: now, handler)
                if !delivered, now >= deadline { return .timedOut }
            }
        }
        return .delivered
    }

    package func add(_ link: any Link) {
        guard let link = link as? TCPLink else { preconditionFailure("a TCP exchange holds TCP links only") }
        added.withLock { $0.append(link) }
        waker.wake()
    }

    package func remove(_ link: any Link) {
        added.withLock { added in added.removeAll { $0 === link } }
        guard let index = members.firstIndex(where: { $0.link === link }) else { return }
        let member = members.remove(at: index)
        member.isHeld = false
        member.link.attach(nil)
    }

    package func wake() {
        isWoken.store(true, ordering: .releasing)
        waker.wake()
    }
}

// One look at the sockets, and the sleep until the next.
extension TCPExchange {
    private func adopt() {
        let links = added.withLock { added in
            defer { added.removeAll() }
            return added
        }
        for link in links {
            link.attach(waker)
            members.append(Member(link))
        }
    }

    /// True when the handler was called.
    private func look(_ handler: (ExchangeEvent) -> Void) -> Bool {
        if listener == nil, members.count <= Self.directLinkCount {
            return receive(from: members, handler)
        }
        return poll(nanoseconds: 0, at: time.now(), handler)
    }

    private func sleep(until instant: Instant, from now: Instant, _ handler: (ExchangeEvent) -> Void) -> Bool {
        poll(nanoseconds: instant == .never ? nil : instant.nanoseconds(since: now), at: now, handler)
    }

    /// Waits for at most `nanoseconds`, without end when nil, and handles what is ready.
    private func poll(nanoseconds: UInt64?, at now: Instant, _ handler: (ExchangeEvent) -> Void) -> Bool {
        if waker.reset() { adopt() }
        polls.removeAll()
        polls.add(waker.pollNumber, output: false)
        let isAccepting = listener != nil && members.count < limits.linkCount && now >= acceptsAgain
        if let listener { polls.add(isAccepting ? listener.pollNumber : -1, output: false) }
        for member in members { polls.add(member.link.pollNumber, output: member.link.hasQueuedOutput) }
        let hasFresh = members.contains { $0.isFresh }
        let isWanted = isWoken.load(ordering: .acquiring) || hasFresh
        guard polls.wait(nanoseconds: isWanted ? 0 : nanoseconds) || hasFresh else { return false }
        if polls.isReady(0) {
            _ = waker.reset()
            waker.drain()
        }
        let first = listener == nil ? 1 : 2
        for (index, member) in members.enumerated() { member.isReady = polls.isReady(first + index) || member.isFresh }
        // The handler may add and remove members.
        let polled = members
        let accepted = isAccepting && polls.isReady(1) ? accept(handler) : false
        adopt()
        return receive(from: polled.lazy.filter { $0.isReady }, handler) || accepted
    }

    private func accept(_ handler: (ExchangeEvent) -> Void) -> Bool {
        var isAny = false
        while let listener, members.count < limits.linkCount {
            switch listener.accept() {
            case .none: return isAny
            case .exhausted:
                acceptsAgain = time.now() + Self.acceptPause
                return isAny
            case .link(let link):
                link.attach(waker)
                members.append(Member(link))
                handler(.accepted(link))
                isAny = true
            }
        }
        return isAny
    }

    private func receive(from members: some Sequence<Member>, _ handler: (ExchangeEvent) -> Void) -> Bool {
        var isAny = false
        for member in members where member.isHeld {
            if receive(from: member, handler) { isAny = true }
        }
        return isAny
    }

    private func receive(from member: Member, _ handler: (ExchangeEvent) -> Void) -> Bool {
        let link = member.link
        if let reason = link.closeReason { return finish(member, reason, handler) }
        if link.hasQueuedOutput { link.flush() }
        member.isFresh = false
        var isAny = false
        let (outcome, isInsideFrame) = link.receive { header, payload in
            isAny = true
            handler(.frame(link, header, payload))
            return member.isHeld && link.closeReason == nil
        }
        guard member.isHeld else { return isAny }
        switch outcome {
        case .empty:
            if isAny || !isInsideFrame { member.partial = nil }
            if isInsideFrame, member.partial == nil { member.partial = (time.now(), absence) }
            return isAny
        case .stopped: return finish(member, link.closeReason ?? .peerClosed, handler)
        case .closed(let reason): return finish(member, reason, handler)
        }
    }

    private func finish(_ member: Member, _ reason: CloseReason, _ handler: (ExchangeEvent) -> Void) -> Bool {
        let link = member.link
        link.close(reason)
        remove(link)
        handler(.closed(link, link.closeReason ?? reason))
        return true
    }
}

// Frames that began and do not end.
extension TCPExchange {
    /// True when a link was closed for it.
    private func closeStalled(at now: Instant, _ handler: (ExchangeEvent) -> Void) -> Bool {
        var isAny = false
        for member in members where member.partial != nil && completionDeadline(of: member) <= now {
            isAny = finish(member, .stalled, handler) || isAny
        }
        return isAny
    }

    /// The time the thread was away does not count: nobody could complete the frame then.
    private func completionDeadline(of member: Member) -> Instant {
        guard let partial = member.partial else { return .never }
        return partial.since + limits.frameCompletion + .nanoseconds(Int64(clamping: absence - partial.absence))
    }

    /// When to look again though no socket calls.
    private func wakeUp(after now: Instant) -> Instant {
        let completion = members.reduce(.never) { min($0, completionDeadline(of: $1)) }
        return acceptsAgain > now ? min(completion, acceptsAgain) : completion
    }
}
