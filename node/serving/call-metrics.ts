import { status } from '@grpc/grpc-js'
import { Counter, Histogram, type Registry } from 'prom-client'

/** Hears of every call. */
export interface CallObserver {
  /** A call of a method began; the returned function is called once, with the status that it ended with. */
  started(method: string): (code: status) => void
}

/** Calls by method and status, and how long they took. */
export class CallMetrics implements CallObserver {
  readonly #calls: Counter<'method' | 'status'>
  readonly #seconds: Histogram<'method'>

  constructor(registry: Registry) {
    this.#calls = new Counter({
      name: 'countersign_node_calls_total',
      help: 'Calls of the kubelet and of the agent, by method and gRPC status.',
      labelNames: ['method', 'status'],
      registers: [registry]
    })
    this.#seconds = new Histogram({
      name: 'countersign_node_call_duration_seconds',
      help: 'Time that calls took, by method.',
      labelNames: ['method'],
      buckets: [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5],
      registers: [registry]
    })
  }

  started(method: string): (code: status) => void {
    const measured = this.#seconds.startTimer({ method })
    return code => {
      measured()
      this.#calls.inc({ method, status: status[code] })
    }
  }
}
