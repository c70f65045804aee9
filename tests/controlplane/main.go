// Command controlplane is a whole Kubernetes control plane in one program: etcd, the API server, the controller
// manager, the scheduler and kubectl, chosen by the first argument (or by the name it is called by). kwok, which plays
// the node and its pods, is built beside it from the same module: its flags clash with those of Kubernetes.
//
// The verb that Sluice's tests and demo use is `up`; see up.go for what it promises.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	_ "time/tzdata" // CronJobs name time zones

	"github.com/spf13/cobra"
	"go.etcd.io/etcd/server/v3/etcdmain"
	"k8s.io/component-base/cli"
	"k8s.io/component-base/logs"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	kubectl "k8s.io/kubectl/pkg/cmd"
	kubectlutil "k8s.io/kubectl/pkg/cmd/util"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
)

const usage = `usage: controlplane VERB [FLAGS]

  up --data DIR             start everything on free loopback ports, print one line of JSON when it is ready, and stop
                            and remove it all when standard input ends or on SIGTERM
  etcd, kube-apiserver, kube-controller-manager, kube-scheduler, kubectl
                            run that program with the flags it knows
`

func main() {
	// Called through a link named like one of the programs: be that program.
	if name := filepath.Base(os.Args[0]); isProgram(name) {
		runProgram(name)
	}
	if len(os.Args) < 2 {
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	}
	verb := os.Args[1]
	switch {
	case isProgram(verb):
		os.Args = append([]string{verb}, os.Args[2:]...)
		runProgram(verb)
	case verb == "up":
		os.Exit(up(os.Args[2:]))
	case strings.TrimLeft(verb, "-") == "help":
		fmt.Print(usage)
	default:
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	}
}

func isProgram(name string) bool {
	switch name {
	case "etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl":
		return true
	}
	return false
}

// runProgram becomes one of the programs; os.Args is as that program expects it. It does not return.
func runProgram(name string) {
	var command *cobra.Command
	switch name {
	case "etcd":
		etcdmain.Main(os.Args)
		os.Exit(0)
	case "kubectl":
		// Logging is set up from the arguments before the command exists, because building it already logs.
		_, _ = logs.GlogSetter(kubectl.GetLogVerbosity(os.Args))
		if err := cli.RunNoErrOutput(kubectl.NewDefaultKubectlCommand()); err != nil {
			kubectlutil.CheckErr(err)
		}
		os.Exit(0)
	case "kube-apiserver":
		command = apiserver.NewAPIServerCommand()
	case "kube-controller-manager":
		command = controllermanager.NewControllerManagerCommand()
	case "kube-scheduler":
		command = scheduler.NewSchedulerCommand()
	}
	os.Exit(cli.Run(command))
}
