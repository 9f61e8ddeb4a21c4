// Command coredns is CoreDNS with the plugins that the test cluster uses, and without the clouds of the others.
package main

import (
	"github.com/coredns/coredns/coremain"
	// The plugins register themselves.
	_ "github.com/coredns/coredns/plugin/bind"
	_ "github.com/coredns/coredns/plugin/cache"
	_ "github.com/coredns/coredns/plugin/errors"
	_ "github.com/coredns/coredns/plugin/kubernetes"
)

func main() {
	coremain.Run()
}
