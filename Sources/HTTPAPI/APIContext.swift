package import Hummingbird

/// What a handler knows of its connection.
package struct APIContext: RequestContext {
    package var coreContext: CoreRequestContextStorage
    /// Ends the connection at once.
    let closeConnection: @Sendable () -> Void

    package init(source: ApplicationRequestContextSource) {
        coreContext = .init(source: source)
        let channel = source.channel
        closeConnection = { channel.close(promise: nil) }
    }
}
