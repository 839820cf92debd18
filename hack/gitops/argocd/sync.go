package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/argoproj/gitops-engine/pkg/cache"
	"github.com/argoproj/gitops-engine/pkg/health"
	"github.com/argoproj/gitops-engine/pkg/sync"
	"github.com/argoproj/gitops-engine/pkg/sync/common"
	"github.com/argoproj/gitops-engine/pkg/utils/kube"
	"github.com/argoproj/gitops-engine/pkg/utils/tracing"
	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
)

const (
	// syncTimeout is longer than any run of the tests takes.
	syncTimeout = 4 * time.Minute
	// pause is between two looks; Argo CD is woken by its watches.
	pause = 500 * time.Millisecond
	// mark is on everything that a sync manages; Argo CD has a label or an annotation for that.
	mark = "gitops.example.com/managed"
)

// result is one line of Argo CD's sync result.
type result struct {
	Kind, Name, Status, Hook, Phase, Message string
}

// application is what Argo CD knows of an Application while it syncs.
type application struct {
	scripts   health.HealthOverride
	namespace string
	wanted    []*unstructured.Unstructured
	config    *rest.Config
	known     cache.ClusterCache
	kubectl   kube.Kubectl
	startedAt metav1.Time
}

// syncOnce brings the manifests of standard input into a namespace as an Application does, and prints how each fared.
func syncOnce(scripts health.HealthOverride, namespace string) {
	klog.SetLogger(logr.Discard())
	text, err := io.ReadAll(os.Stdin)
	check(err)
	wanted, err := kube.SplitYAML(text)
	check(err)
	for _, object := range wanted {
		annotations := object.GetAnnotations()
		if annotations == nil {
			annotations = map[string]string{}
		}
		annotations[mark] = "true"
		object.SetAnnotations(annotations)
		object.SetNamespace(namespace)
	}
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, nil).ClientConfig()
	check(err)
	config.QPS, config.Burst = 50, 100
	known := cache.NewClusterCache(config,
		cache.SetNamespaces([]string{namespace}),
		cache.SetLogr(logr.Discard()),
		cache.SetPopulateResourceInfoHandler(func(object *unstructured.Unstructured, _ bool) (any, bool) {
			_, managed := object.GetAnnotations()[mark]
			return managed, managed
		}),
	)
	check(known.EnsureSynced())
	defer known.Invalidate()
	kubectl := &kube.KubectlCmd{Log: logr.Discard(), Tracer: tracing.NopTracer{}}
	app := application{scripts, namespace, wanted, config, known, kubectl, metav1.Now()}
	encoder := json.NewEncoder(os.Stdout)
	for _, one := range app.sync() {
		check(encoder.Encode(result{
			Kind: one.ResourceKey.Kind, Name: one.ResourceKey.Name, Status: string(one.Status),
			Hook: string(one.HookType), Phase: string(one.HookPhase), Message: one.Message,
		}))
	}
}

// sync goes on until the operation is over. As in Argo CD's controller each look is at the cluster as it is then, and the
// next one starts from what the last one has found.
func (app *application) sync() []common.ResourceSyncResult {
	phase, message, results := common.OperationRunning, "", []common.ResourceSyncResult(nil)
	for deadline := time.Now().Add(syncTimeout); !phase.Completed(); time.Sleep(pause) {
		if time.Now().After(deadline) {
			fail(fmt.Sprintf("the sync was not over after %s: %s: %s", syncTimeout, phase, message))
		}
		phase, message, results = app.look(phase, message, results)
	}
	if phase == common.OperationError {
		fail("the sync ended in an error: " + message)
	}
	return results
}

func (app *application) look(
	phase common.OperationPhase, message string, results []common.ResourceSyncResult,
) (common.OperationPhase, string, []common.ResourceSyncResult) {
	managed := func(resource *cache.Resource) bool { return resource.Info == true }
	live, err := app.known.GetManagedLiveObjs(app.wanted, managed)
	check(err)
	compared := sync.Reconcile(app.wanted, live, app.namespace, app.known)
	operation, cleanup, err := sync.NewSyncContext("revision", compared, app.config, app.config, app.kubectl,
		app.namespace, app.known.GetOpenAPISchema(),
		sync.WithInitialState(phase, message, results, app.startedAt),
		sync.WithHealthOverride(app.scripts), sync.WithLogr(logr.Discard()))
	check(err)
	defer cleanup()
	operation.Sync()
	return operation.GetState()
}
