import type { Account, RunService } from './types.ts'

const NONE: readonly RunService[] = Object.freeze([])

/** Which Services matter to which account. */
export class ServicesByAccount {
  readonly #run = new Map<string, RunService[]>()
  /** Nobody runs them now, and who did may keep their names. */
  readonly #idle: RunService[] = []

  constructor(services: readonly RunService[]) {
    for (const service of services) {
      if (service.accounts.length === 0) this.#idle.push(service)
      for (const account of service.accounts) {
        const run = this.#run.get(account)
        if (run === undefined) this.#run.set(account, [service])
        else run.push(service)
      }
    }
  }

  /** Those that it runs and those that nobody runs; none for an account that does not ask for their names. */
  of({ namespace, name, asked }: Account): readonly RunService[] {
    if (asked.wishes.dnsNames !== 'services' && !asked.unreadable.includes('dnsNames')) return NONE
    return [...(this.#run.get(`${namespace}/${name}`) ?? []), ...this.#idle]
  }
}
