import { create } from '@bufbuild/protobuf'
import type { Debt, Readiness } from '../../shared/lifecycle/index.ts'
import {
  type PluginInfo,
  PluginInfoSchema,
  Registration as RegistrationService,
  type RegistrationStatus,
  type RegistrationStatusResponse,
  RegistrationStatusResponseSchema
} from '../../shared/proto/gen/staging/src/k8s.io/kubelet/pkg/apis/pluginregistration/v1/api_pb.js'
import { type InjectedServer, serviceDefinition } from '../../shared/rpc/index.ts'
import { type HandlerContext, unaryHandler } from '../serving/index.ts'

/** The name that the socket has in the kubelet's folder; the kubelet passes over names that begin with a dot. */
export const registrationSocket = (driver: string): string => `${driver}-reg.sock`

export interface RegistrationOptions {
  /** Name of the driver, as the CSIDriver object gives it. */
  readonly driver: string
  /** The socket of the CSI services as the kubelet sees it: an absolute path on the node. */
  readonly endpoint: string
  readonly readiness: Readiness
  readonly context: HandlerContext
}

// What the kubelet may speak with a CSI driver; it takes the highest that it knows of major version 1.
const CSI_VERSIONS = ['1.0.0']
const DEBT = 'registered'

/** Answers the kubelet's questions about the driver, and keeps what it said last. */
export class Registration {
  readonly #options: RegistrationOptions
  #debt: Debt | undefined

  constructor(options: RegistrationOptions) {
    this.#options = options
    this.#debt = options.readiness.owe(DEBT)
  }

  addService(server: InjectedServer): void {
    const { context } = this.#options
    server.addService(serviceDefinition(RegistrationService), {
      GetInfo: unaryHandler('GetInfo', () => this.#info(), context),
      NotifyRegistrationStatus: unaryHandler(
        'NotifyRegistrationStatus',
        (status: RegistrationStatus) => this.#note(status),
        context
      )
    })
  }

  /** The socket of the registration was removed: the kubelet takes that for the end of the driver. */
  lost(): void {
    this.#debt ??= this.#options.readiness.owe(DEBT)
  }

  #info(): PluginInfo {
    return create(PluginInfoSchema, {
      type: 'CSIPlugin',
      name: this.#options.driver,
      endpoint: this.#options.endpoint,
      supportedVersions: CSI_VERSIONS
    })
  }

  #note({ pluginRegistered, error }: RegistrationStatus): RegistrationStatusResponse {
    const { driver, context } = this.#options
    if (pluginRegistered) {
      this.#debt?.pay()
      this.#debt = undefined
      context.log.info({ driver }, 'registered with the kubelet')
    } else {
      this.lost()
      // The kubelet tries again, with growing pauses.
      context.log.error({ driver, reason: error }, 'the kubelet did not register the driver')
    }
    return create(RegistrationStatusResponseSchema)
  }
}
