"""
Own network
===========

Deep features of a network of your own, and a small network trained from scratch.
"""

# %%
# `DeepFeatureExtractor` takes the packaged network, CNN-F, MedicalNet, FCIB or any network of timm, with a file of
# weights that you provide. Nothing is downloaded, and a network gets random weights only if you ask for them: here
# they stand for a file such as ``weights="RadImageNet-ResNet50.pt"``.
import radiodeep as rd

cohort = rd.make_phantom_cohort(24, random_state=0)
deep = rd.DeepFeatureExtractor("resnet18", weights="random", seed=0, size=64)
table = rd.extract_table(deep, cohort)
table.iloc[:3, :4]

# %%
# What does a feature react to? Its correlations with handcrafted features, and the pixels it depends on:
packaged = rd.DeepFeatureExtractor()
handcrafted = rd.extract_table(rd.RadiomicsExtractor(bin_count=32), cohort)
explanation = rd.explain_deep_feature(packaged, handcrafted, packaged.get_feature_names_out()[7], cohort)
print(explanation)

# %%
# A network from scratch is an estimator of cases. For a real study keep the defaults, and several seeds; two epochs
# only show how it is done.
network = rd.CNNClassifier("arch3", epochs=2, n_views=4, random_state=0)
print(rd.cross_validated_auc(network, cohort, cohort.labels, cv=2, n_repeats=1))
