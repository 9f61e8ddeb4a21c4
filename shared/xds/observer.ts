/** Who wants to know what the peers of a discovery server do: metrics, and whoever waits for something to be in use. */
export interface DiscoveryObserver {
  /** `method` is the name in the .proto file, for example DeltaAggregatedResources. */
  onStreamOpened(peer: string, method: string): void
  onStreamClosed(peer: string, method: string): void
  onSent(peer: string, typeUrl: string): void
  /** The peer uses these: versions by resource name. */
  onAccepted(peer: string, typeUrl: string, versions: ReadonlyMap<string, string>): void
  /** The peer keeps what it had; `message` is its own text. */
  onRejected(peer: string, typeUrl: string, message: string): void
}
