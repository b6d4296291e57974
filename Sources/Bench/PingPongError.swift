internal import Foundation

/// A connection over loopback that could not be made or broke.
package struct PingPongError: Error, CustomStringConvertible {
    package let call: String
    package let number: Int32

    package var description: String {
        "the TCP ping-pong over loopback failed in \(call): \(String(cString: strerror(number))); "
            + "check the limits of open files and threads"
    }
}
