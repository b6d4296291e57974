internal import Foundation

/// The outcome of a call on a nonblocking descriptor.
enum SystemCall {
    case done(Int)
    case wouldBlock
    case failed(Int32)

    /// Repeats `body` while a signal interrupts it.
    static func run(_ body: () -> Int) -> SystemCall {
        while true {
            let count = body()
            if count >= 0 { return .done(count) }
            let number = errno
            if number == EINTR { continue }
            return number == EAGAIN || number == EWOULDBLOCK ? .wouldBlock : .failed(number)
        }
    }

    static func text(_ number: Int32) -> String { String(cString: strerror(number)) }
}
