internal import Hummingbird

extension Response {
    /// An answer that is there as a whole.
    init(_ status: HTTPResponse.Status, type: String = "application/json", _ bytes: [UInt8]) {
        self.init(
            status: status, headers: [.contentType: type], body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
    }

    init(_ status: HTTPResponse.Status = .ok, json value: some Encodable) {
        self.init(status, JSONText.encode(value))
    }
}
