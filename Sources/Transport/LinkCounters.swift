/// What a link has carried since it was made; headers count as bytes.
package struct LinkCounters: Sendable, Equatable {
    package var bytesIn: UInt64 = 0
    package var bytesOut: UInt64 = 0
    package var framesIn: UInt64 = 0
    package var framesOut: UInt64 = 0

    package init() {}
}
