import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { networkCommands } from './network.ts'
import { nodeNames } from './settings.ts'

describe('networkCommands', () => {
  it('connects one node to the control plane', () => {
    assert.deepEqual(networkCommands(nodeNames(1)), [
      {
        netns: 'countersign-control',
        commands: [
          'link set lo up',
          'link add nodes type bridge',
          'addr add 192.168.99.1/24 dev nodes',
          'link set nodes up',
          'link add node0 type veth peer name eth0 netns countersign-node0',
          'link set node0 master nodes up',
          'route add 10.244.0.0/24 via 192.168.99.10',
          'route add 10.96.0.0/16 via 192.168.99.10'
        ]
      },
      {
        netns: 'countersign-node0',
        commands: [
          'link set lo up',
          'addr add 192.168.99.10/24 dev eth0',
          'link set eth0 up',
          'route add default via 192.168.99.1'
        ]
      }
    ])
  })

  it('gives every node a route to the pods of every other, and none to its own', () => {
    const nodes = nodeNames(3)
    const [control, ...each] = networkCommands(nodes)
    assert.ok(control)
    const podRoutes = (commands: readonly string[]): string[] =>
      commands.filter(command => command.startsWith('route add 10.244.'))
    assert.equal(podRoutes(control.commands).length, 3)
    each.forEach(({ commands }, index) => {
      const routes = podRoutes(commands)
      assert.equal(routes.length, 2)
      assert.ok(routes.every(route => !route.includes(nodes[index]?.podSubnet ?? '')))
    })
  })
})
