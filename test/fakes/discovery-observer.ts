import type { DiscoveryObserver } from '../../shared/xds/index.ts'

/** Writes down what it is told: `accepted pod:a Secret default@1`. */
export class RecordingObserver implements DiscoveryObserver {
  readonly lines: string[] = []

  onStreamOpened(peer: string, method: string): void {
    this.lines.push(`opened ${peer} ${method}`)
  }

  onStreamClosed(peer: string, method: string): void {
    this.lines.push(`closed ${peer} ${method}`)
  }

  onSent(peer: string, typeUrl: string): void {
    this.lines.push(`sent ${peer} ${shortType(typeUrl)}`)
  }

  onAccepted(peer: string, typeUrl: string, versions: ReadonlyMap<string, string>): void {
    const resources = [...versions].map(([name, version]) => `${name}@${version}`)
    this.lines.push(['accepted', peer, shortType(typeUrl), ...resources].join(' '))
  }

  onRejected(peer: string, typeUrl: string, message: string): void {
    this.lines.push(`rejected ${peer} ${shortType(typeUrl)}: ${message}`)
  }

  /** Lines that start like this. */
  matching(start: string): readonly string[] {
    return this.lines.filter(line => line.startsWith(start))
  }
}

const shortType = (typeUrl: string): string => typeUrl.slice(typeUrl.lastIndexOf('.') + 1)
