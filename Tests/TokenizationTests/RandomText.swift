/// Random Unicode text: every plane, and more often the blocks where text goes wrong.
struct RandomText {
    private var generator: SeededGenerator

    private static let blocks: [ClosedRange<UInt32>] = [
        0x0...0x7F, 0x0...0x10FFFF, 0x300...0x36F, 0x4E00...0x9FFF, 0x3040...0x30FF, 0xAC00...0xD7A3, 0x1F300...0x1FAFF,
        0xE000...0xF8FF, 0xFFF0...0xFFFF, 0x80...0xA0, 0x2000...0x206F, 0x1100...0x11FF, 0xE0000...0xE01EF,
        0x600...0x6FF,
        0x30...0x39, 0x9...0x20, 0xFE00...0xFE0F, 0x10000...0x1FFFF, 0x20000...0x2FFFF, 0xF0000...0x10FFFF,
    ]
    private static let snippets = [
        "👩\u{200D}👩\u{200D}👧\u{200D}👦", "🏳\u{FE0F}\u{200D}🌈", "e\u{301}", "\r\n", "   ", "<｜User｜>", "<think>",
        "<｜User", "\u{0}", "x",
    ]

    init(seed: UInt64) {
        generator = SeededGenerator(seed: seed)
    }

    mutating func next(length: Int) -> String {
        var text = String.UnicodeScalarView()
        while text.count < length {
            if Int.random(in: 0..<8, using: &generator) == 0,
                let snippet = Self.snippets.randomElement(using: &generator)
            {
                text += snippet.unicodeScalars
            } else if let block = Self.blocks.randomElement(using: &generator),
                let scalar = Unicode.Scalar(UInt32.random(in: block, using: &generator))
            {
                text.append(scalar)
            }
        }
        return String(text)
    }
}
