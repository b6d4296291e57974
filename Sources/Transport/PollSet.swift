internal import CSockets
internal import Foundation

/// The descriptors that one poll asks about, in the order added. Kept from poll to poll.
struct PollSet {
    private var entries: [pollfd] = []

    mutating func removeAll() {
        entries.removeAll(keepingCapacity: true)
    }

    /// A negative number takes a place and is never ready.
    mutating func add(_ number: Int32, output: Bool) {
        entries.append(pollfd(fd: number, events: Int16(output ? POLLIN | POLLOUT : POLLIN), revents: 0))
    }

    /// Sleeps until one is ready or the time is over; nil has no end. A signal ends the sleep early. True when one is
    /// ready.
    mutating func wait(nanoseconds: UInt64?) -> Bool {
        let timeout = nanoseconds.map { Int64(clamping: $0) } ?? -1
        let count = cohort_poll(&entries, UInt(entries.count), timeout)
        guard count < 0 else { return count > 0 }
        for index in entries.indices { entries[index].revents = 0 }
        return false
    }

    /// True when there is input, room for output, or an error to be read.
    func isReady(_ index: Int) -> Bool { entries[index].revents != 0 }
}
