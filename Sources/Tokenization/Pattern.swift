internal import CPCRE2

/// A compiled regular expression of a pre-tokenizer.
///
/// Safe to share: PCRE2 does not change compiled code while matching. Which characters are letters, marks and so on
/// is a matter of the Unicode version of the installed PCRE2 (14 in 10.42): a character newer than that counts as
/// unassigned.
final class Pattern: Sendable {
    fileprivate nonisolated(unsafe) let code: OpaquePointer

    /// Why an expression cannot be used.
    struct CompileError: Error {
        let reason: String
    }

    init(_ expression: String) throws(CompileError) {
        let translated: String
        do {
            translated = try OnigurumaExpression.pcre2(expression)
        } catch {
            throw CompileError(reason: "\(error.feature) is not supported")
        }
        let utf8 = Array(translated.utf8)
        var status = Int32(0)
        var offset = 0
        let context = pcre2_compile_context_create_8(nil)
        defer { pcre2_compile_context_free_8(context) }
        pcre2_set_newline_8(context, UInt32(PCRE2_NEWLINE_LF))
        let options = PCRE2_UTF | PCRE2_UCP | UInt32(PCRE2_MULTILINE)
        guard let code = pcre2_compile_8(utf8, utf8.count, options, &status, &offset, context) else {
            throw CompileError(reason: "\(PatternMatcher.message(status)) at byte \(offset)")
        }
        // Without a just-in-time compiler for this machine PCRE2 interprets, which is slower and else the same.
        _ = pcre2_jit_compile_8(code, UInt32(PCRE2_JIT_COMPLETE))
        self.code = code
    }

    deinit {
        pcre2_code_free_8(code)
    }
}

/// The working memory of matching, and its limits. One thread at a time.
struct PatternMatcher: ~Copyable {
    private let data: OpaquePointer
    private let context: OpaquePointer
    private let stack: OpaquePointer?

    /// Steps of backtracking for one match: PCRE2's default. The published expressions backtrack at most once per
    /// character of a run of white space.
    static let matchLimit = UInt32(10_000_000)
    /// Memory for backtracking of one match, when interpreted and when compiled.
    static let heapLimitKibibytes = UInt32(64 << 10)
    static let stackByteSizes = (first: 32 << 10, largest: 1 << 20)

    /// A match that was given up.
    struct LimitError: Error {
        let reason: String
    }

    init() {
        guard let data = pcre2_match_data_create_8(1, nil), let context = pcre2_match_context_create_8(nil) else {
            preconditionFailure("no memory for a match")
        }
        self.data = data
        self.context = context
        stack = pcre2_jit_stack_create_8(Self.stackByteSizes.first, Self.stackByteSizes.largest, nil)
        pcre2_set_match_limit_8(context, Self.matchLimit)
        pcre2_set_heap_limit_8(context, Self.heapLimitKibibytes)
        pcre2_jit_stack_assign_8(context, nil, UnsafeMutableRawPointer(stack))
    }

    deinit {
        pcre2_match_context_free_8(context)
        pcre2_match_data_free_8(data)
        pcre2_jit_stack_free_8(stack)
    }

    /// Cuts `range` of `text` (valid UTF-8) at both ends of every match, and gives the pieces, matches or not, to
    /// `body`. The ends of the range are ends of text for the expression.
    func split(
        _ text: UnsafeBufferPointer<UInt8>, in range: Range<Int>, by pattern: Pattern, _ body: (Range<Int>) -> Void
    ) throws(LimitError) {
        let subject = UnsafeBufferPointer(rebasing: text[range])
        var pieceStart = 0
        var searchStart = 0
        var lastMatchEnd: Int?
        while searchStart <= subject.count, let match = try firstMatch(of: pattern, in: subject, from: searchStart) {
            searchStart = match.upperBound
            if match.isEmpty {
                searchStart = Self.nextCharacter(in: subject, after: searchStart)
                // As Oniguruma's iterator has it: no empty match right behind a match.
                guard match.upperBound != lastMatchEnd else { continue }
            }
            lastMatchEnd = match.upperBound
            for piece in [pieceStart..<match.lowerBound, match] where !piece.isEmpty { body(shift(piece, by: range)) }
            pieceStart = match.upperBound
        }
        if pieceStart < subject.count { body(shift(pieceStart..<subject.count, by: range)) }
    }

    private func shift(_ piece: Range<Int>, by range: Range<Int>) -> Range<Int> {
        range.lowerBound + piece.lowerBound..<range.lowerBound + piece.upperBound
    }

    private static func nextCharacter(in subject: UnsafeBufferPointer<UInt8>, after index: Int) -> Int {
        var next = index + 1
        while next < subject.count, subject[next] & 0xC0 == 0x80 { next += 1 }
        return next
    }

    private func firstMatch(
        of pattern: Pattern, in subject: UnsafeBufferPointer<UInt8>, from start: Int
    ) throws(LimitError) -> Range<Int>? {
        var status = match(pattern, subject, start, options: UInt32(PCRE2_NO_UTF_CHECK))
        if status == PCRE2_ERROR_JIT_STACKLIMIT {
            status = match(pattern, subject, start, options: UInt32(PCRE2_NO_UTF_CHECK) | UInt32(PCRE2_NO_JIT))
        }
        if status == PCRE2_ERROR_NOMATCH { return nil }
        guard status >= 0, let ends = pcre2_get_ovector_pointer_8(data), ends[0] <= ends[1] else {
            throw LimitError(reason: Self.message(status))
        }
        return ends[0]..<ends[1]
    }

    private func match(
        _ pattern: Pattern, _ subject: UnsafeBufferPointer<UInt8>, _ start: Int, options: UInt32
    ) -> Int32 {
        pcre2_match_8(pattern.code, subject.baseAddress, subject.count, start, options, data, context)
    }

    fileprivate static func message(_ status: Int32) -> String {
        var buffer = [UInt8](repeating: 0, count: 256)
        let length = pcre2_get_error_message_8(status, &buffer, buffer.count)
        return String(decoding: buffer.prefix(max(0, Int(length))), as: UTF8.self)
    }
}
