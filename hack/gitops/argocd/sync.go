package main

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"time"

	"github.com/argoproj/gitops-engine/pkg/cache"
	"github.com/argoproj/gitops-engine/pkg/engine"
	"github.com/argoproj/gitops-engine/pkg/health"
	"github.com/argoproj/gitops-engine/pkg/sync"
	"github.com/argoproj/gitops-engine/pkg/utils/kube"
	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
)

// syncTimeout is longer than any run of the tests takes.
const syncTimeout = 4 * time.Minute

// mark is on everything that a sync manages; Argo CD has a label or an annotation for that.
const mark = "gitops.example.com/managed"

// result is one line of Argo CD's sync result.
type result struct {
	Kind, Name, Status, Hook, Phase, Message string
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
	argo := engine.NewEngine(config, known, engine.WithLogr(logr.Discard()))
	stop, err := argo.Run()
	check(err)
	defer stop()
	bounded, cancel := context.WithTimeout(context.Background(), syncTimeout)
	defer cancel()
	managed := func(resource *cache.Resource) bool { return resource.Info == true }
	fared, err := argo.Sync(bounded, wanted, managed, "revision", namespace,
		sync.WithHealthOverride(scripts), sync.WithLogr(logr.Discard()))
	check(err)
	encoder := json.NewEncoder(os.Stdout)
	for _, one := range fared {
		check(encoder.Encode(result{
			Kind: one.ResourceKey.Kind, Name: one.ResourceKey.Name, Status: string(one.Status),
			Hook: string(one.HookType), Phase: string(one.HookPhase), Message: one.Message,
		}))
	}
}
