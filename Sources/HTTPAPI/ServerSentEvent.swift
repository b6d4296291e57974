/// The framing of a stream of events: one line of data, then an empty one.
enum ServerSentEvent {
    static func data(_ value: some Encodable) -> [UInt8] { frame(JSONText.encode(value)) }

    /// What ends a stream that went well.
    static let done = frame(Array("[DONE]".utf8))

    /// - Parameter line: has no line breaks; JSON escapes its own.
    private static func frame(_ line: [UInt8]) -> [UInt8] { Array("data: ".utf8) + line + Array("\n\n".utf8) }
}
