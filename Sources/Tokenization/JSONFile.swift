internal import Foundation

/// One JSON file of a checkpoint folder, read whole and decoded with errors that name the place inside it.
struct JSONFile {
    let path: String
    let bytes: [UInt8]

    /// The largest published tokenizer.json has some 30 MB; a file past this size is not one.
    static let maximumByteCount = 256 << 20

    init(path: String, bytes: [UInt8]) {
        self.path = path
        self.bytes = bytes
    }

    /// Reads the file at `path`.
    init(path: String) throws(TokenizerError) {
        let mend = "give a checkpoint folder that holds a readable \((path as NSString).lastPathComponent)"
        do {
            let size = try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int ?? 0
            guard size <= Self.maximumByteCount else {
                throw TokenizerError(
                    file: path, what: "the file has \(size) bytes, more than the \(Self.maximumByteCount) allowed",
                    mend: mend)
            }
            self.init(path: path, bytes: Array(try Data(contentsOf: URL(fileURLWithPath: path))))
        } catch let error as TokenizerError {
            throw error
        } catch {
            throw TokenizerError(file: path, what: "the file cannot be read (\(Self.reason(error)))", mend: mend)
        }
    }

    static func exists(_ path: String) -> Bool {
        FileManager.default.fileExists(atPath: path)
    }

    func decode<Value: Decodable>(_ type: Value.Type) throws(TokenizerError) -> Value {
        do {
            return try JSONDecoder().decode(type, from: Data(bytes))
        } catch let error as DecodingError {
            throw TokenizerError(
                file: path, what: Self.text(of: error), mend: "download the file again from the model's publisher")
        } catch {
            throw TokenizerError(
                file: path, what: "the file is not valid JSON",
                mend: "download the file again from the model's publisher")
        }
    }

    private static func reason(_ error: any Error) -> String {
        let underlying = (error as NSError).userInfo[NSUnderlyingErrorKey] as? NSError
        guard let underlying, underlying.domain == NSPOSIXErrorDomain else { return error.localizedDescription }
        return String(cString: strerror(Int32(underlying.code)))
    }

    private static func text(of error: DecodingError) -> String {
        switch error {
        case .keyNotFound(let key, let context):
            return "\(place(context.codingPath)) lacks \"\(key.stringValue)\""
        case .typeMismatch(_, let context), .valueNotFound(_, let context):
            return "\(place(context.codingPath)) has the wrong type: \(context.debugDescription)"
        case .dataCorrupted(let context) where context.codingPath.isEmpty:
            return "the file is not valid JSON"
        case .dataCorrupted(let context):
            return "\(place(context.codingPath)) is broken: \(context.debugDescription)"
        @unknown default:
            return "the file cannot be decoded"
        }
    }

    private static func place(_ codingPath: [any CodingKey]) -> String {
        guard !codingPath.isEmpty else { return "the top level" }
        return codingPath.map { key in key.intValue.map { "[\($0)]" } ?? key.stringValue }
            .joined(separator: ".").replacing(".[", with: "[")
    }
}
