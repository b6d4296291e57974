internal import Foundation
internal import Synchronization
package import Wire

/// Waits on links inside the process, always in the order in which they were added.
///
/// What passes the time when nothing is due is the caller's: between threads of a real process the thread sleeps;
/// a simulation runs its other actors and moves its clock.
package final class InProcessExchange: Exchange, Sendable {
    /// Called when nothing is due, with the instant at which something may be. Returns after a change of the world or
    /// of the time; may return early.
    package typealias Idle = @Sendable (_ until: Instant) -> Void

    private let time: any TimeSource
    private let idle: Idle
    private let signal: @Sendable () -> Void
    private let added = Mutex<[InProcessLink]>([])
    private let isWoken = Atomic<Bool>(false)
    /// Belong to the thread that waits.
    private nonisolated(unsafe) var links: [InProcessLink] = []
    private nonisolated(unsafe) var isWaiting = false

    /// An exchange of a simulation: `idle` makes the time pass.
    package init(time: any TimeSource, idle: @escaping Idle) {
        self.time = time
        self.idle = idle
        signal = {}
    }

    /// An exchange whose thread sleeps while nothing is due.
    package init(time: MonotonicTime = MonotonicTime()) {
        let semaphore = DispatchSemaphore(value: 0)
        self.time = time
        signal = { semaphore.signal() }
        idle = { instant in
            guard instant != .never else { return semaphore.wait() }
            let left = Int(clamping: instant.nanoseconds(since: time.now()))
            _ = semaphore.wait(timeout: .now() + .nanoseconds(left))
        }
    }

    package func wait(
        until deadline: Instant, spin: Duration, _ handler: (ExchangeEvent) -> Void
    ) -> WaitResult {
        precondition(!isWaiting, "the handler of an exchange must not wait on it")
        isWaiting = true
        defer { isWaiting = false }
        while true {
            adopt()
            let now = time.now()
            let (isAny, next) = look(at: now, handler)
            if isAny { return .delivered }
            if isWoken.exchange(false, ordering: .acquiringAndReleasing) { return .woken }
            if now >= deadline { return .timedOut }
            idle(min(deadline, next))
        }
    }

    package func add(_ link: any Link) {
        guard let link = link as? InProcessLink else {
            preconditionFailure("an in-process exchange holds in-process links only")
        }
        added.withLock { $0.append(link) }
        link.attach(signal)
        signal()
    }

    package func remove(_ link: any Link) {
        added.withLock { added in added.removeAll { $0 === link } }
        guard let index = links.firstIndex(where: { $0 === link }) else { return }
        links.remove(at: index).attach(nil)
    }

    package func wake() {
        isWoken.store(true, ordering: .releasing)
        signal()
    }

    private func adopt() {
        links += added.withLock { added in
            defer { added.removeAll() }
            return added
        }
    }

    /// Delivers what is due, and tells when the next frame will be.
    private func look(at now: Instant, _ handler: (ExchangeEvent) -> Void) -> (isAny: Bool, next: Instant) {
        var isAny = false
        var next = Instant.never
        for link in links {
            var isHeld = links.contains { $0 === link }
            while isHeld {
                switch link.next(at: now) {
                case .frame(let arrival):
                    arrival.payload.withUnsafeBytes { handler(.frame(link, arrival.header, $0)) }
                    isHeld = links.contains { $0 === link }
                case .closed(let reason):
                    link.close(reason)
                    remove(link)
                    handler(.closed(link, reason))
                    isHeld = false
                case .nothing(let until):
                    next = min(next, until)
                    isHeld = false
                    continue
                }
                isAny = true
            }
        }
        return (isAny, next)
    }
}
