internal import Foundation

/// A drawing of lines, dots and words, as text.
package struct SVG {
    private let width: Int
    private let height: Int
    private var elements: [String] = []

    package enum Anchor: String {
        case start, middle, end
    }

    package init(width: Int, height: Int) {
        self.width = width
        self.height = height
    }

    package var text: String {
        let head =
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"\(width)\" height=\"\(height)\" "
            + "viewBox=\"0 0 \(width) \(height)\" font-family=\"sans-serif\">"
        let ground = "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>"
        return ([head, ground] + elements + ["</svg>", ""]).joined(separator: "\n")
    }

    package mutating func line(
        _ from: (x: Double, y: Double), _ to: (x: Double, y: Double), colour: String, width: Double = 1
    ) {
        elements.append(
            "<line x1=\"\(number(from.x))\" y1=\"\(number(from.y))\" x2=\"\(number(to.x))\" y2=\"\(number(to.y))\" "
                + "stroke=\"\(colour)\" stroke-width=\"\(number(width))\"/>")
    }

    /// - Parameter title: what a viewer shows when the pointer rests on the dot.
    package mutating func dot(_ centre: (x: Double, y: Double), radius: Double, colour: String, title: String) {
        elements.append(
            "<circle cx=\"\(number(centre.x))\" cy=\"\(number(centre.y))\" r=\"\(number(radius))\" "
                + "fill=\"\(colour)\" fill-opacity=\"0.8\"><title>\(Self.escaped(title))</title></circle>")
    }

    /// Words with a white rim, readable on any ground.
    /// - Parameter turn: degrees clockwise around the place.
    package mutating func write(
        _ words: String, at place: (x: Double, y: Double), size: Int = 12, anchor: Anchor = .start,
        colour: String = "black", turn: Double = 0
    ) {
        let (x, y) = (number(place.x), number(place.y))
        let rotation = turn == 0 ? "" : " transform=\"rotate(\(number(turn)) \(x) \(y))\""
        elements.append(
            "<text x=\"\(x)\" y=\"\(y)\" font-size=\"\(size)\" text-anchor=\"\(anchor.rawValue)\" "
                + "fill=\"\(colour)\" stroke=\"white\" stroke-width=\"4\" paint-order=\"stroke\"\(rotation)>"
                + "\(Self.escaped(words))</text>"
        )
    }

    private func number(_ value: Double) -> String { String(format: "%.1f", value) }

    static func escaped(_ text: String) -> String {
        text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
    }
}
