/// What a link has carried since it was made; headers count as bytes.
package struct LinkCounters: Sendable, Equatable {
    /// Those of a frame that is not whole yet count as soon as they are here.
    package var bytesIn: UInt64 = 0
    package var bytesOut: UInt64 = 0
    package var framesIn: UInt64 = 0
    package var framesOut: UInt64 = 0

    package init() {}
}
