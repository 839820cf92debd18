package main

import (
	"context"
	"encoding/json"
	"os"
	"time"

	"github.com/fluxcd/cli-utils/pkg/kstatus/polling"
	"github.com/fluxcd/cli-utils/pkg/kstatus/polling/engine"
	"github.com/fluxcd/pkg/runtime/cel"
	"github.com/fluxcd/pkg/ssa"
	"github.com/fluxcd/pkg/ssa/utils"
	"github.com/go-logr/logr"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
)

const (
	reconcileTimeout = 3 * time.Minute
	interval         = 500 * time.Millisecond
)

// outcome is how kustomize-controller would report a reconciliation.
type outcome struct {
	Changes map[string]string `json:"changes"` // object -> created, configured, unchanged
	Ready   bool              `json:"ready"`
	Message string            `json:"message"`
}

// reconcile applies the manifests of standard input and waits for their health, as kustomize-controller does with `wait: true`.
func reconcile(found kustomization, namespace string) {
	ctrl.SetLogger(logr.Discard())
	objects, err := utils.ReadObjects(os.Stdin)
	check(err)
	for _, object := range objects {
		object.SetNamespace(namespace)
	}
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, nil).ClientConfig()
	check(err)
	httpClient, err := rest.HTTPClientFor(config)
	check(err)
	mapper, err := apiutil.NewDynamicRESTMapper(config, httpClient)
	check(err)
	cluster, err := client.New(config, client.Options{Mapper: mapper})
	check(err)
	reader, err := cel.NewStatusReader(found.Spec.HealthCheckExprs)
	check(err)
	poller := polling.NewStatusPoller(cluster, mapper, polling.Options{
		CustomStatusReaders: []engine.StatusReader{reader(mapper)},
	})
	manager := ssa.NewResourceManager(cluster, poller, ssa.Owner{
		Field: "kustomize-controller", Group: "kustomize.toolkit.fluxcd.io",
	})
	manager.SetOwnerLabels(objects, found.Metadata.Name, namespace)
	bounded, cancel := context.WithTimeout(context.Background(), reconcileTimeout)
	defer cancel()
	options := ssa.DefaultApplyOptions()
	options.Force = found.Spec.Force
	changes, err := manager.ApplyAllStaged(bounded, objects, options)
	if err != nil {
		tell(outcome{Message: err.Error()})
		return
	}
	said := outcome{Changes: map[string]string{}, Ready: true}
	for _, entry := range changes.Entries {
		said.Changes[entry.Subject] = string(entry.Action)
	}
	err = manager.WaitForSetWithContext(bounded, changes.ToObjMetadataSet(), ssa.WaitOptions{
		Interval: interval, Timeout: reconcileTimeout, FailFast: true,
	})
	if err != nil {
		said.Ready, said.Message = false, err.Error()
	}
	tell(said)
}

func tell(said outcome) {
	check(json.NewEncoder(os.Stdout).Encode(said))
}
