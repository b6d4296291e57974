internal import Foundation

/// An open file descriptor, closed when its owner goes.
struct Descriptor: ~Copyable {
    let number: Int32

    init(owning number: Int32) {
        precondition(number >= 0)
        self.number = number
    }

    deinit { _ = Foundation.close(number) }
}
